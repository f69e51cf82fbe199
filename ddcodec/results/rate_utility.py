"""The curves of a method: accuracy over bits per class, and where the bits go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from ddcodec.errors import DataError
from ddcodec.results.drawing import colour, draw_picture
from ddcodec.results.peers import FullData, Peer
from ddcodec.results.runs import SHIP, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NO_LOSS, REAL_IMAGES = "none", "coded real images"
"""The loss of a baseline, and what a legend calls it."""

KINDS = {
    "explicit": "explicit: latents, labels",
    "implicit": "implicit: networks",
    "container": "header, names, checksums",
}
"""Shares of a file by the names of `ddc inspect`, and what a legend calls them."""

_CURVE_INCHES = (4.6, 3.2)
_PEERS_INCHES = (7.0, 4.2)
_ROW_INCHES = 0.22
_BITS_PER_KILOBYTE = 8000.0
_SAME_RATE = 1.05
"""Files of one loss whose rates differ by less are one point of its curve."""

_PEER_MARKERS = "osD^v<>phP*XdH8"
_MARKS = {"printed": "", "digitised": " †", "third-party": " ‡"}


@dataclass(frozen=True)
class Series:
    """One curve.

    Attributes:
        name: for the legend.
        bits_per_class: rising.
        mean, deviation: of the accuracies of all networks at that rate, in per cent.
    """

    name: str
    bits_per_class: list[float]
    mean: list[float]
    deviation: list[float]


@dataclass(frozen=True)
class Published:
    """What others have published about the dataset."""

    peers: list[Peer]
    full_data: FullData | None


@dataclass(frozen=True)
class FileShares:
    """Where the bytes of one file go.

    Attributes:
        name, loss: of its point.
        bits_per_class: of the whole file.
        percent: by the keys of KINDS.
    """

    name: str
    loss: str
    bits_per_class: float
    percent: dict[str, float]


def series_of(points: Sequence[Point]) -> list[Series]:
    """Return a curve for every loss, networks of all seeds taken together, baselines last.

    Where protocol or architecture differ, each has its own curve, and its name says so.
    """
    is_mixed = len({_way(point) for point in points if point.loss != SHIP}) > 1
    groups: dict[str, list[Point]] = {}
    for point in sorted(points, key=lambda point: (point.loss == SHIP, point.loss == NO_LOSS)):
        groups.setdefault(_title(point, is_mixed), []).append(point)
    return [_series(name, members) for name, members in groups.items()]


def draw_rate_utility(
    points: Sequence[Point], published: Published | None, picture_format: str
) -> bytes:
    """Draw accuracy over bits per class.

    Args:
        points: at least one, of one dataset and one split.
        published: what to draw along, or None.
        picture_format: `png`, `svg` or `pdf`.

    Raises:
        DataError: if the points are of several datasets.
        DdcError: if matplotlib is not installed.
    """
    names = list(dict.fromkeys(point.evaluation.dataset for point in points))
    if len(names) > 1:
        raise DataError(
            f"The points are of several datasets ({', '.join(names)}); draw each by itself."
        )
    return draw_picture(lambda figure: _draw_curves(figure, points, published), picture_format)


def draw_allocation(shares: Sequence[FileShares], picture_format: str) -> bytes:
    """Draw the shares of latents, networks and header over the size of the file.

    Args:
        shares: at least one.
        picture_format: `png`, `svg` or `pdf`.

    Raises:
        DdcError: if matplotlib is not installed.
    """
    return draw_picture(lambda figure: _draw_shares(figure, shares), picture_format)


def _title(point: Point, with_way: bool) -> str:
    if point.loss == SHIP:
        return f"{SHIP} ({point.evaluation.protocol})"
    name = REAL_IMAGES if point.loss == NO_LOSS else point.loss
    return f"{name} ({_way(point)})" if with_way else name


def _way(point: Point) -> str:
    return f"{point.evaluation.protocol}, {point.evaluation.arch}"


def _series(name: str, points: list[Point]) -> Series:
    series = Series(name, [], [], [])
    waiting = sorted(points, key=lambda point: point.evaluation.bits_per_class)
    while waiting:
        first = waiting[0].evaluation.bits_per_class
        together = [
            point for point in waiting if point.evaluation.bits_per_class < _SAME_RATE * first
        ]
        waiting = waiting[len(together) :]
        accuracies = [value for point in together for value in point.evaluation.accuracies]
        series.bits_per_class.append(fmean(point.evaluation.bits_per_class for point in together))
        series.mean.append(fmean(accuracies))
        series.deviation.append(pstdev(accuracies))
    return series


def _draw_curves(figure: Figure, points: Sequence[Point], published: Published | None) -> None:
    figure.set_size_inches(*(_PEERS_INCHES if published else _CURVE_INCHES))
    figure.suptitle(_heading(points), x=0.01, horizontalalignment="left", fontsize=8)
    axes = figure.add_subplot()
    for number, series in enumerate(series_of(points)):
        axes.errorbar(
            series.bits_per_class, series.mean, yerr=series.deviation, label=series.name,
            color=colour(number), marker="o", markersize=3.5, capsize=2.5, elinewidth=0.8,
            linewidth=1.3 if len(series.mean) > 1 else 0, zorder=3,
            linestyle="--" if series.name.startswith(REAL_IMAGES) else "-",
        )  # fmt: skip
    if published is not None:
        draw_published(figure, axes, published)
    label_axes(axes)
    if published is None:
        axes.legend(loc="best")
        return
    handles, labels = axes.get_legend_handles_labels()
    first = len(published.peers)
    figure.legend(
        handles[first:] + handles[:first], labels[first:] + labels[:first],
        loc="outside right upper", fontsize=7,
    )  # fmt: skip


def label_axes(axes: Axes) -> None:
    """Make the axes those of accuracy over bits and kilobytes per class."""
    axes.set_xscale("log")
    axes.set_xlabel("bits per class, whole file")
    axes.set_ylabel("accuracy, %")
    axes.grid(visible=True, which="major", color="0.92", linewidth=0.6)
    axes.set_axisbelow(True)
    kilobytes = axes.secondary_xaxis("top", functions=(_to_kilobytes, _to_bits))
    kilobytes.set_xlabel("kB per class")
    kilobytes.xaxis.set_major_formatter("{x:g}")


def _to_kilobytes(bits: Any) -> Any:
    return bits / _BITS_PER_KILOBYTE


def _to_bits(kilobytes: Any) -> Any:
    return kilobytes * _BITS_PER_KILOBYTE


def _heading(points: Sequence[Point]) -> str:
    own = [point for point in points if point.loss != SHIP] or list(points)
    evaluation = own[0].evaluation
    ways = {_way(point) for point in own}
    counts = sorted({len(point.evaluation.accuracies) for point in own})
    networks = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    split = "" if evaluation.split == "test" else ", validation part"
    way = f", protocol {ways.pop()}" if len(ways) == 1 else ""
    plural = "" if counts == [1] else "s"
    return f"{evaluation.dataset}{split}{way}, {networks} network{plural} a file"


def draw_published(figure: Figure, axes: Axes, published: Published) -> None:
    """Draw what others have published, and a footnote that says how it was counted."""
    for number, peer in enumerate(published.peers):
        shade = str(0.35 + 0.1 * (number % 4))
        axes.plot(
            peer.bits_per_class, peer.accuracy, label=peer.name + _MARKS[peer.origin],
            color=shade, marker=_PEER_MARKERS[number % len(_PEER_MARKERS)], markersize=4,
            markerfacecolor="white" if peer.storage == "float32" else shade,
            markeredgewidth=0.7, linewidth=0.5, linestyle=":", zorder=2,
        )  # fmt: skip
    full = published.full_data
    if full is not None:
        axes.axhline(full.accuracy, color="0.6", linewidth=0.7, linestyle="--", zorder=1)
        axes.annotate(
            f"full data, {full.student}", (0, full.accuracy), xycoords=("axes fraction", "data"),
            xytext=(3, -2), textcoords="offset points", verticalalignment="top",
            fontsize=6, color="0.4",
        )  # fmt: skip
    figure.text(0.01, 0.01, _footnote(published), fontsize=6, color="0.35")
    # The footnote is no part of the layout.
    figure.set_layout_engine("constrained", rect=(0, 0.04, 1, 0.96))


def _footnote(published: Published) -> str:
    peers = published.peers
    students = ", ".join(dict.fromkeys(peer.student for peer in peers))
    protocols = ", ".join(dict.fromkeys(peer.protocol for peer in peers))
    lines = [f"Grey: published points, protocol {protocols}, {students}."]
    if any(peer.storage == "float32" for peer in peers):
        lines.append("Open markers: counted as float32.")
    origins = {peer.origin for peer in peers}
    if "digitised" in origins:
        lines.append("†: read off a figure.")
    if "third-party" in origins:
        lines.append("‡: from a summary by others.")
    return " ".join(lines)


def _draw_shares(figure: Figure, shares: Sequence[FileShares]) -> None:
    losses = list(dict.fromkeys(share.loss for share in shares))
    rows = sorted(shares, key=lambda share: (losses.index(share.loss), share.bits_per_class))
    figure.set_size_inches(7.0, max(2.6, 1.2 + _ROW_INCHES * len(rows)))
    bars, lines = figure.subplots(1, 2)
    left = [0.0] * len(rows)
    for number, (kind, title) in enumerate(KINDS.items()):
        widths = [row.percent[kind] for row in rows]
        bars.barh(range(len(rows)), widths, left=left, color=colour(number), label=title)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    bars.set_yticks(range(len(rows)), [row.name for row in rows])
    bars.invert_yaxis()
    bars.set_xlim(0, 100)
    bars.set_xlabel("share of the file, %")
    _draw_share_lines(lines, rows, losses)
    figure.legend(*bars.get_legend_handles_labels(), loc="outside upper left", ncols=len(KINDS))


def _draw_share_lines(axes: Axes, rows: list[FileShares], losses: list[str]) -> None:
    for loss_number, loss in enumerate(losses):
        members = [row for row in rows if row.loss == loss]
        marker = _PEER_MARKERS[loss_number % len(_PEER_MARKERS)]
        for number, kind in enumerate(KINDS):
            axes.plot(
                [row.bits_per_class for row in members],
                [row.percent[kind] for row in members],
                color=colour(number), marker=marker, markersize=3.5,
            )  # fmt: skip
        axes.plot([], [], color="0.4", marker=marker, linewidth=0, markersize=3.5, label=loss)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("bits per class, whole file")
    axes.set_ylabel("share of the file, %")
    if len(losses) > 1:
        axes.legend(loc="lower left", title="loss")

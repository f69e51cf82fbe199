"""Curves of logged runs as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddcodec.errors import DataError
from ddcodec.results.drawing import colour, draw_picture
from ddcodec.results.run_log import LoggedRun, LoggedStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SECONDS, STEPS = "seconds", "steps"

POOL_PHASES = "pool"
"""Prefix of phases that are about networks made beforehand, not about the run's own curves."""

_PANEL_INCHES = (2.6, 1.9)
_LEGEND_INCHES = 1.5
_MOST_COLUMNS = 3
_SMOOTHED_SHARE = 40
"""A noisy curve is drawn as means of one in so many of its points, over the points themselves."""

_SHOWN_SHARES = (0.5, 1.6)
"""Sizes are shown from and to these multiples of the budget; the first steps are far outside."""

_LOG_RATIO = 20.0
"""From this ratio of largest to smallest value on, an axis is logarithmic."""


@dataclass(frozen=True)
class NamedRun:
    """A run and what its curves are called."""

    name: str
    run: LoggedRun


@dataclass(frozen=True)
class Curve:
    """Points of one line of a panel."""

    x: list[float]
    y: list[float]


def draw_curves(runs: Sequence[NamedRun], x_axis: str, picture_format: str) -> bytes:
    """Draw size, multiplier, losses and validation accuracy, a panel each, all runs overlaid.

    Args:
        runs: at least one.
        x_axis: `seconds` of wall-clock time or `steps`.
        picture_format: one of PICTURE_FORMATS.

    Returns:
        The picture, equal for equal runs.

    Raises:
        DdcError: if matplotlib is not installed.
        DataError: if no run has a step to draw.
    """
    timelines = [_Timeline(named, x_axis) for named in runs]
    return draw_picture(lambda figure: _draw_panels(figure, timelines, x_axis), picture_format)


class _Timeline:
    """A run's steps with their places on the axis."""

    def __init__(self, named: NamedRun, x_axis: str) -> None:
        self.name, self.run = named.name, named.run
        steps, checks = named.run.steps, named.run.validations
        all_places = [step.seconds for step in steps] if x_axis == SECONDS else _counted(steps)
        places = zip(all_places, steps, strict=True)
        self.points = [(place, step) for place, step in places if not _is_about_pool(step)]
        at_steps = [0.0, *all_places]
        self.accuracy = Curve(
            [check.seconds if x_axis == SECONDS else at_steps[check.index] for check in checks],
            [check.accuracy for check in checks],
        )

    def curve(self, value: Callable[[LoggedStep], float | None], phase: str | None = None) -> Curve:
        """Return what is known of one quantity, in one phase or in all."""
        x, y = [], []
        for place, step in self.points:
            known = value(step)
            if known is not None and phase in (None, step.phase):
                x.append(place)
                y.append(known)
        return Curve(x, y)

    def phase_starts(self) -> list[tuple[str, float]]:
        """Return each phase with the place of its first step."""
        starts: list[tuple[str, float]] = []
        for place, step in self.points:
            if not starts or starts[-1][0] != step.phase:
                starts.append((step.phase, place))
        return starts


def _is_about_pool(step: LoggedStep) -> bool:
    return step.phase.startswith(POOL_PHASES)


def _counted(steps: Sequence[LoggedStep]) -> list[float]:
    """Number steps through all phases; the log counts anew in each, and in each attempt at one."""
    numbers: list[float] = []
    count, last, phase = 0, 0, ""
    for step in steps:
        if not _is_about_pool(step):
            is_new = step.phase != phase or step.step <= last
            count += step.step if is_new else step.step - last
            last, phase = step.step, step.phase
        numbers.append(count)
    return numbers


Panel = tuple[str, str, list[Curve]]
"""Title, label of the y axis, and one curve for each run."""


def _panels(timelines: list[_Timeline]) -> list[Panel]:
    panels: list[Panel] = [
        ("size", "kB", [line.curve(_rate_kilobytes) for line in timelines]),
        ("multiplier", "λ", [line.curve(lambda step: step.multiplier) for line in timelines]),
    ]
    phases = dict.fromkeys(step.phase for line in timelines for _, step in line.points)
    for phase in phases:
        losses = [line.curve(lambda step: step.loss, phase) for line in timelines]
        panels.append((f"loss, {phase}", "loss", losses))
    panels.append(("validation accuracy", "%", [line.accuracy for line in timelines]))
    return [panel for panel in panels if any(curve.x for curve in panel[2])]


def _rate_kilobytes(step: LoggedStep) -> float | None:
    return None if step.rate_bytes is None else step.rate_bytes / 1000


def _draw_panels(figure: Figure, timelines: list[_Timeline], x_axis: str) -> None:
    panels = _panels(timelines)
    if not panels:
        raise DataError("There is nothing to draw: the logs hold no step of a run yet.")
    columns = min(_MOST_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure.set_size_inches(columns * _PANEL_INCHES[0], rows * _PANEL_INCHES[1] + 0.2)
    unit, label = _unit(timelines, x_axis)
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(rows, columns, number + 1)
        _draw_panel(axes, panel, unit)
        if panel[0] == "size":
            _draw_budgets(axes, timelines)
        if len(timelines) == 1 and panel[0] in ("size", "multiplier"):
            _mark_phases(axes, timelines[0], unit, with_names=panel[0] == "size")
        axes.set_xlabel(label)
    if len(timelines) > 1:
        _draw_legend(figure, [line.name for line in timelines])


def _draw_legend(figure: Figure, names: list[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour(number)) for number in range(len(names))]
    columns = max(1, int(figure.get_figwidth() // _LEGEND_INCHES))
    figure.legend(handles, names, loc="outside upper left", ncols=min(columns, len(names)))


def _draw_panel(axes: Axes, panel: Panel, unit: float) -> None:
    title, label, curves = panel
    for number, curve in enumerate(curves):
        shade = colour(number)
        x = [place / unit for place in curve.x]
        if title.startswith(("size", "loss")) and len(x) > 2 * _SMOOTHED_SHARE:
            axes.plot(x, curve.y, ".", color=shade, alpha=0.25, markersize=2, markeredgewidth=0)
            axes.plot(x, _smoothed(curve.y), color=shade)
            continue
        marker = "o" if len(x) <= _SMOOTHED_SHARE and label != "λ" else ""
        style = "steps-post" if label == "λ" else "default"
        axes.plot(x, curve.y, color=shade, marker=marker, markersize=2.5, drawstyle=style)
    values = [value for curve in curves for value in curve.y]
    if min(values) > 0 and (label == "λ" or max(values) > _LOG_RATIO * min(values)):
        _use_log_axis(axes, max(values) / min(values))
    axes.set_title(title)
    axes.set_ylabel(label)


def _use_log_axis(axes: Axes, ratio: float) -> None:
    """Make the y axis logarithmic, with plain numbers at as many ticks as there is room for."""
    from matplotlib.ticker import AutoLocator, LogLocator, NullFormatter, NullLocator

    axes.set_yscale("log")
    subs = (1.0, 2.0, 5.0) if ratio < 1000 else (1.0,)
    axes.yaxis.set_major_locator(AutoLocator() if ratio < 4 else LogLocator(subs=subs))
    axes.yaxis.set_major_formatter("{x:g}")
    if ratio < 4:
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_budgets(axes: Axes, timelines: list[_Timeline]) -> None:
    """Add a line for every budget, and leave out sizes far from all of them."""
    known = [(number, line.run.budget_bytes) for number, line in enumerate(timelines)]
    budgets = {budget / 1000: number for number, budget in reversed(known) if budget is not None}
    for budget, number in budgets.items():
        shade = "0.4" if len(budgets) == 1 else colour(number)
        axes.axhline(budget, color=shade, linestyle="--", linewidth=0.8)
    if len(budgets) == 1:
        axes.set_title(f"size, budget {next(iter(budgets)):,.6g} kB")
    if budgets:
        bottom, top = axes.get_ylim()
        axes.set_ylim(
            max(bottom, _SHOWN_SHARES[0] * min(budgets)), min(top, _SHOWN_SHARES[1] * max(budgets))
        )


def _mark_phases(axes: Axes, line: _Timeline, unit: float, with_names: bool) -> None:
    for phase, place in line.phase_starts():
        axes.axvline(place / unit, color="0.85", linewidth=0.6, zorder=0)
        if with_names:
            axes.annotate(
                phase, (place / unit, 1.0), xycoords=("data", "axes fraction"), color="0.45",
                xytext=(1.5, -1), textcoords="offset points", fontsize=6, rotation=90,
                horizontalalignment="left", verticalalignment="top",
            )  # fmt: skip


def _unit(timelines: list[_Timeline], x_axis: str) -> tuple[float, str]:
    """Return what to divide places by and the label of the axis."""
    if x_axis == STEPS:
        return 1.0, "steps"
    longest = max(line.points[-1][0] for line in timelines if line.points)
    if longest < 300:
        return 1.0, "seconds"
    return (60.0, "minutes") if longest < 4 * 3600 else (3600.0, "hours")


def _smoothed(values: list[float]) -> list[float]:
    """Return running means."""
    reach = max(1, len(values) // _SMOOTHED_SHARE // 2)
    windows = (values[max(0, index - reach) : index + reach + 1] for index in range(len(values)))
    return [sum(window) / len(window) for window in windows]

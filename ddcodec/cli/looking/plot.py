"""`ddc plot`: the curves of logged runs, or of a folder of finished ones, as a picture."""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddcodec.cli.looking.eval import SPLITS
from ddcodec.cli.shared.options import PATH, force_option
from ddcodec.results.curves import SECONDS, STEPS
from ddcodec.results.drawing import PICTURE_FORMATS

if TYPE_CHECKING:
    from ddcodec.results.rate_utility import FileShares

CURVES, RATE_UTILITY, SHARES = Path("curves.png"), Path("curve.png"), Path("shares.png")
"""Pictures of logs, of the points of a folder, and of the shares of their bytes."""


@click.command("plot")
@click.argument("sources", metavar="LOG...|FOLDER...", nargs=-1, required=True, type=PATH)
@click.option(
    "-o", "--output", metavar="PICTURE", type=PATH,
    show_default=f"{CURVES} of logs, {RATE_UTILITY} or {SHARES} of folders",
    help="Picture to write; its suffix, .png, .svg or .pdf, says which kind.",
)  # fmt: skip
@click.option(
    "--x", "x_axis", type=click.Choice((SECONDS, STEPS)), default=SECONDS,
    help="What the curves of logs are drawn over.",
)  # fmt: skip
@click.option("--peers", is_flag=True, help="Add the published points of the same dataset.")
@click.option(
    "--peer", "peer_names", multiple=True, metavar="NAME", show_default="all, with --peers",
    help="Add those of this method; may be repeated.",
)  # fmt: skip
@click.option(
    "--allocation", is_flag=True,
    help="Draw what latents, networks and headers have of the files of a folder instead.",
)  # fmt: skip
@click.option(
    "--split", type=click.Choice(SPLITS), default="test",
    help="Which evaluations of a folder are drawn.",
)  # fmt: skip
@force_option
def plot_command(
    sources: tuple[Path, ...],
    output: Path | None,
    x_axis: str,
    peers: bool,
    peer_names: tuple[str, ...],
    allocation: bool,
    split: str,
    force: bool,
) -> None:
    """Draw accuracy over bits per class of the FOLDER of a sweep, or the curves of LOGs.

    Of a folder that `ddc sweep` filled: a curve for each loss, with error bars over networks and
    seeds. Of logs that `ddc distill --log` wrote: size against budget, the multiplier, the loss of
    every phase and validation accuracy. Several are drawn over each other. Needs matplotlib: pip
    install 'ddcodec[plot]'.
    """
    are_folders = [source.is_dir() for source in sources]
    if any(are_folders) and not all(are_folders):
        raise click.UsageError("Logs and folders are different pictures; name one kind.")
    is_folder = all(are_folders)
    if not is_folder and (peers or peer_names or allocation):
        raise click.UsageError("--peers, --peer and --allocation need the folder of a sweep.")
    if allocation and (peers or peer_names):
        raise click.UsageError("--allocation knows no published points; leave --peers out.")
    output = output or (SHARES if allocation else RATE_UTILITY if is_folder else CURVES)
    picture_format = output.suffix.lower().removeprefix(".")
    if picture_format not in PICTURE_FORMATS:
        raise click.BadParameter(f"'{output}' must end in .png, .svg or .pdf.")
    from ddcodec.export import check_output
    from ddcodec.kept.writing import write_atomically

    check_output(output, force)
    if allocation:
        picture, what = _draw_allocation(sources, picture_format)
    elif is_folder:
        picture, what = _draw_rate_utility(sources, split, peers, peer_names, picture_format)
    else:
        picture, what = _draw_logs(sources, x_axis, picture_format)
    write_atomically(picture, output)
    print(f"{output}: {what}")


def _draw_logs(logs: tuple[Path, ...], x_axis: str, picture_format: str) -> tuple[bytes, str]:
    from ddcodec.results.curves import NamedRun, draw_curves
    from ddcodec.results.run_log import read_log

    names = names_of(logs)
    runs = [NamedRun(name, read_log(path)) for name, path in zip(names, logs, strict=True)]
    return draw_curves(runs, x_axis, picture_format), ", ".join(names)


def _draw_rate_utility(
    folders: tuple[Path, ...],
    split: str,
    with_peers: bool,
    peer_names: tuple[str, ...],
    picture_format: str,
) -> tuple[bytes, str]:
    from ddcodec.results.peers import full_data_of, peers_of
    from ddcodec.results.rate_utility import Published, draw_rate_utility, series_of
    from ddcodec.results.runs import read_points

    points = [point for folder in folders for point in read_points(folder, split)]
    published = None
    if with_peers or peer_names:
        dataset = points[0].evaluation.dataset
        published = Published(peers_of(dataset, peer_names), full_data_of(dataset))
    picture = draw_rate_utility(points, published, picture_format)
    return picture, f"{_counted(points)}; {'; '.join(line.name for line in series_of(points))}"


def _draw_allocation(folders: tuple[Path, ...], picture_format: str) -> tuple[bytes, str]:
    from ddcodec.results.rate_utility import draw_allocation

    shares = [share for folder in folders for share in _file_shares(folder)]
    return draw_allocation(shares, picture_format), _counted(shares)


def _file_shares(folder: Path) -> list[FileShares]:
    from ddcodec.results.inspection import inspect_file
    from ddcodec.results.rate_utility import KINDS, FileShares
    from ddcodec.results.reading import decode_file
    from ddcodec.results.runs import read_files

    shares = []
    for file, loss in read_files(folder):
        inspection = inspect_file(decode_file(file))
        percent = {kind: inspection.percent_of(kind) for kind in KINDS}
        shares.append(FileShares(file.stem, loss, inspection.bits_per_class, percent))
    return shares


def _counted(files: Sized) -> str:
    return f"{len(files)} file{'' if len(files) == 1 else 's'}"


def names_of(logs: tuple[Path, ...]) -> list[str]:
    """Return what to call each log: its name without suffix, or its path where names are equal."""
    stems = [path.stem for path in logs]
    return stems if len(set(stems)) == len(stems) else [str(path) for path in logs]

"""`ddc plot`: the curves of logged runs as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from ddcodec.cli.options import PATH, force_option
from ddcodec.curves import PICTURE_FORMATS, SECONDS, STEPS


@click.command("plot")
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=PATH)
@click.option(
    "-o", "--output", metavar="PICTURE", type=PATH, default=Path("curves.png"),
    help="Picture to write; its suffix, .png, .svg or .pdf, says which kind.",
)  # fmt: skip
@click.option(
    "--x", "x_axis", type=click.Choice((SECONDS, STEPS)), default=SECONDS,
    help="What the curves are drawn over.",
)  # fmt: skip
@force_option
def plot_command(logs: tuple[Path, ...], output: Path, x_axis: str, force: bool) -> None:
    """Draw the curves of runs logged by `ddc distill --log`.

    Size against budget, the multiplier, the loss of every phase and validation accuracy; several
    logs are drawn over each other. Needs matplotlib: pip install 'ddcodec[plot]'.
    """
    picture_format = output.suffix.lower().removeprefix(".")
    if picture_format not in PICTURE_FORMATS:
        raise click.BadParameter(f"'{output}' must end in .png, .svg or .pdf.")
    from ddcodec.codec.encode import write_atomically
    from ddcodec.curves import NamedRun, draw_curves
    from ddcodec.export import check_output
    from ddcodec.run_log import read_log

    check_output(output, force)
    names = names_of(logs)
    runs = [NamedRun(name, read_log(path)) for name, path in zip(names, logs, strict=True)]
    write_atomically(draw_curves(runs, x_axis, picture_format), output)
    print(f"{output}: {', '.join(names)}")


def names_of(logs: tuple[Path, ...]) -> list[str]:
    """Return what to call each log: its name without suffix, or its path where names are equal."""
    stems = [path.stem for path in logs]
    return stems if len(set(stems)) == len(stems) else [str(path) for path in logs]

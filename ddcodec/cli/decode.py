"""`ddc decode`: a file becomes a training set on disk."""

from __future__ import annotations

from pathlib import Path

import click

from ddcodec.cli.options import PATH, file_argument, force_option, limit_options
from ddcodec.format.limits import DecodeLimits
from ddcodec.inspection import decode_file

FORMATS = ("png", "npz", "pt")


@click.command("decode")
@file_argument
@click.option(
    "-o", "--output", metavar="OUT", type=PATH, show_default="FILE without .ddc",
    help="Folder or file to write.",
)  # fmt: skip
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="png",
    help="png: a folder per class and labels.csv; npz for numpy; pt for torch.",
)  # fmt: skip
@force_option
@limit_options
def decode_command(
    file: Path, output: Path | None, kind: str, force: bool, limits: DecodeLimits
) -> None:
    """Write the training set in FILE as images or arrays."""
    from ddcodec import export

    output = _output_path(file, output, kind)
    check = export.check_output_folder if kind == "png" else export.check_output
    check(output, force)
    decoded = decode_file(file, limits)
    write = {"png": export.write_png, "npz": export.write_npz, "pt": export.write_pt}[kind]
    write(decoded, output, force)
    print(f"{output}: {len(decoded.labels)} images of {len(decoded.class_names)} classes")


def _output_path(file: Path, output: Path | None, kind: str) -> Path:
    if output is None:
        output = Path(file.stem)
        # Without a suffix to drop, the file itself would be in the way.
        output = output if file.suffix else Path(f"{file.stem}-decoded")
    if kind == "png" or output.suffix == f".{kind}":
        return output
    return output.with_name(f"{output.name}.{kind}")

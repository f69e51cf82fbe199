"""`ddc view`: a labelled contact sheet."""

from __future__ import annotations

from pathlib import Path

import click

from ddcodec.cli.shared.options import (
    COUNT,
    PATH,
    classes_option,
    file_argument,
    force_option,
    limit_options,
    whole_number,
)
from ddcodec.format.limits import DecodeLimits
from ddcodec.results.reading import decode_file, naming


@click.command("view")
@file_argument
@click.option(
    "-o", "--output", metavar="PNG", type=PATH, show_default="FILE with .png",
    help="Picture to write.",
)  # fmt: skip
@classes_option
@click.option("--per-class", type=COUNT, default=10, metavar="N", help="Images per class.")
@click.option("--scale", type=whole_number(1, 64), default=2, metavar="S", help="Size of a pixel.")
@force_option
@limit_options
def view_command(
    file: Path,
    output: Path | None,
    classes: str | None,
    per_class: int,
    scale: int,
    force: bool,
    limits: DecodeLimits,
) -> None:
    """Draw the training set in FILE: a row per class with its name and first images."""
    from ddcodec.export import check_output, write_contact_sheet

    output = output or Path(f"{file.stem}.png")
    if output.suffix.lower() != ".png":
        raise click.BadParameter("the contact sheet is a PNG; give it a name ending in .png.")
    check_output(output, force)
    decoded = decode_file(file, limits, classes)
    with naming(file):
        width, height = write_contact_sheet(decoded, output, per_class, scale, force, limits)
    print(f"{output}: {width} x {height} pixels")

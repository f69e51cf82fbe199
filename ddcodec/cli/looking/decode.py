"""`ddc decode`: a file becomes a training set on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddcodec.cli.shared.options import (
    PATH,
    classes_option,
    file_argument,
    force_option,
    limit_options,
    whole_number,
)
from ddcodec.format.limits import DecodeLimits
from ddcodec.format.student_recipe import MAX_RENDITIONS
from ddcodec.results.reading import decode_file_symbols, naming

if TYPE_CHECKING:
    from ddcodec.export import ExportSource

FORMATS = ("png", "npz", "pt", "webdataset", "parquet", "hf")


@click.command("decode")
@file_argument
@click.option(
    "-o", "--output", metavar="OUT", type=PATH, show_default="FILE without .ddc",
    help="Folder or file to write.",
)  # fmt: skip
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="png",
    help="png: a folder per class and labels.csv; npz for numpy; pt for torch; webdataset: tar "
    "shards; parquet: a table; hf: a folder for `datasets.load_dataset`.",
)  # fmt: skip
@click.option(
    "--images", metavar="RANGES", show_default="all",
    help="Numbers and ranges of images in the file, such as 0:50,60.",
)  # fmt: skip
@classes_option
@click.option(
    "--renditions", type=whole_number(1, MAX_RENDITIONS), metavar="N", default=1,
    help="Times each image is drawn, one after another, with other details each time.",
)  # fmt: skip
@force_option
@limit_options
def decode_command(
    file: Path,
    output: Path | None,
    kind: str,
    images: str | None,
    classes: str | None,
    renditions: int,
    force: bool,
    limits: DecodeLimits,
) -> None:
    """Write the training set in FILE as images or arrays.

    Labels are those of the file, also of a part of it. A part is drawn alone and is not compared
    with the checksum of the content, which covers all images; `ddc verify` does that.
    """
    from ddcodec import export

    ranges = None if images is None else export.parse_images(images)
    output = _output_path(file, output, export.EXPORTERS[kind].suffix)
    export.check_export(output, kind, force)
    symbols = decode_file_symbols(file, limits, classes)
    numbers = export.select_images(symbols, ranges, classes)
    source = export.ExportSource(symbols, numbers, renditions, limits)
    with naming(file):
        source.check_writing()
        export.write_export(source, output, kind, force)
    print(f"{output}: {_count(source)}")


def _count(source: ExportSource) -> str:
    images, classes = len(source), len(set(source.labels.tolist()))
    return (
        f"{images} image{'' if images == 1 else 's'}, {classes} class{'' if classes == 1 else 'es'}"
    )


def _output_path(file: Path, output: Path | None, suffix: str) -> Path:
    if output is None:
        output = Path(file.stem)
        # Without a suffix to drop, the file itself would be in the way.
        output = output if file.suffix else Path(f"{file.stem}-decoded")
    if output.suffix == suffix or not suffix:
        return output
    return output.with_name(f"{output.name}{suffix}")

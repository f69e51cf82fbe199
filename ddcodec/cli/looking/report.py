"""`ddc report`: a file as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from ddcodec.cli.shared.options import (
    COUNT,
    PATH,
    file_argument,
    force_option,
    limit_options,
    whole_number,
)
from ddcodec.errors import DataError
from ddcodec.format.limits import DecodeLimits
from ddcodec.results.inspection import file_bytes
from ddcodec.results.reading import decode_file, naming


@click.command("report")
@file_argument
@click.option(
    "-o", "--output", metavar="HTML", type=PATH, show_default="FILE with .html",
    help="Page to write.",
)  # fmt: skip
@click.option(
    "--eval", "measured", metavar="JSON", type=PATH, multiple=True, show_default="none",
    help="Accuracy to show: what `ddc eval --json` printed; may be repeated.",
)  # fmt: skip
@click.option("--per-class", type=COUNT, default=10, metavar="N", help="Images per class.")
@click.option("--scale", type=whole_number(1, 64), default=2, metavar="S", help="Size of a pixel.")
@force_option
@limit_options
def report_command(
    file: Path,
    output: Path | None,
    measured: tuple[Path, ...],
    per_class: int,
    scale: int,
    force: bool,
    limits: DecodeLimits,
) -> None:
    """Write FILE as one HTML page: bytes, images, accuracy, settings.

    The page is a single file that fetches nothing. Settings are shown where the record FILE.json
    lies beside FILE.
    """
    from ddcodec.export import check_output
    from ddcodec.kept.writing import write_atomically
    from ddcodec.results.report import ReportedFile, report_html
    from ddcodec.results.runs import read_evaluation, read_json

    output = output or Path(f"{file.stem}.html")
    if output.suffix.lower() not in (".html", ".htm"):
        raise click.BadParameter("the report is an HTML page; give it a name ending in .html.")
    check_output(output, force)
    decoded = decode_file(file, limits)
    size = file_bytes(decoded.container)
    evaluations = [read_evaluation(path) for path in measured]
    for path, found in zip(measured, evaluations, strict=True):
        if found.file_bytes != size:
            raise DataError(
                f"'{path}' is about a file of {found.file_bytes:,} bytes, '{file}' has {size:,}; "
                "name its own evaluation."
            )
    record_path = Path(f"{file}.json")
    record = read_json(record_path) if record_path.exists() else None
    reported = ReportedFile(file.name, decoded, evaluations, record)
    with naming(file):
        page = report_html(reported, per_class, scale, limits)
    write_atomically(page.encode(), output)
    print(f"{output}: {len(page.encode()):,} bytes")

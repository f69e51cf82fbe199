"""A file as one HTML page that needs nothing else: facts, bytes, pictures, accuracy, settings.

Everything that comes from files is escaped: the author of a file chooses its class names.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from ddcodec.budget import format_bytes
from ddcodec.export import draw_contact_sheet
from ddcodec.format.limits import DecodeLimits
from ddcodec.format.printable import printable
from ddcodec.results.inspection import Inspection, Part, describe_decoder, inspect_file
from ddcodec.results.runs import Evaluation

if TYPE_CHECKING:
    from ddcodec.codec.decode import DecodedFile

_COLOURS = {"explicit": "#0072B2", "implicit": "#D55E00", "container": "#7F7F7F"}
_KINDS = {
    "explicit": "explicit: latents and labels",
    "implicit": "implicit: networks",
    "container": "header, names, checksums",
}
_BAR_WIDTH, _BAR_HEIGHT = 1000.0, 36.0
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Nothing is fetched and nothing runs, whatever a name should hold."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } th, td { padding: .15rem .9rem .15rem 0; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; } thead th { border-bottom: 1px solid #999; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tfoot td { border-top: 1px solid #999; }
img { max-width: 100%; image-rendering: pixelated; } svg { width: 100%; height: auto; }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 1em; }
.quiet { color: #666; }
"""


@dataclass(frozen=True)
class ReportedFile:
    """What a report is made of.

    Attributes:
        name: of the file.
        decoded: the file.
        evaluations: what networks trained on it reached; may be none.
        record: of the run that made it, or None.
    """

    name: str
    decoded: DecodedFile
    evaluations: Sequence[Evaluation]
    record: Mapping[str, Any] | None


def report_html(
    reported: ReportedFile, per_class: int, scale: int, limits: DecodeLimits | None = None
) -> str:
    """Return the page.

    Args:
        reported: the file and what is known of it.
        per_class: images of each class on the contact sheet.
        scale: screen pixels to a pixel of an image.
        limits: bounds on drawing the contact sheet; None for the defaults.

    Raises:
        FormatError: if the contact sheet exceeds the limits.
        RecipeError: if the contact sheet would be too large.
    """
    inspection = inspect_file(reported.decoded)
    sections = [
        f"<h1>{_text(reported.name)}</h1>",
        _facts(_file_facts(reported.decoded, inspection)),
        "<h2>Where the bytes go</h2>",
        _bar(inspection),
        _parts(inspection),
    ]
    if reported.evaluations:
        sections += ["<h2>Accuracy</h2>", _accuracies(reported.evaluations)]
    sections += ["<h2>Images</h2>", _sheet(reported.decoded, per_class, scale, limits)]
    if reported.record is not None:
        sections += ["<h2>Settings</h2>", _settings(reported.record)]
    return _page(reported.name, sections)


def _page(title: str, sections: Iterable[str]) -> str:
    body = "\n".join(sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _text(value: object) -> str:
    return escape(printable(str(value)))


def _facts(rows: Iterable[tuple[str, object]]) -> str:
    lines = (
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>'
        for name, value in rows
    )
    return f"<table><tbody>\n{_lines(lines)}\n</tbody></table>"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _file_facts(decoded: DecodedFile, inspection: Inspection) -> list[tuple[str, object]]:
    header = inspection.header
    shape = f"{header.height}×{header.width}×{header.channels}"
    return [
        ("size", format_bytes(inspection.file_bytes)),
        ("bits per class", f"{inspection.bits_per_class:,.1f}"),
        ("bytes per class", f"{inspection.bytes_per_class:,.1f}"),
        ("bytes per image", f"{inspection.bytes_per_image:,.1f}"),
        ("images", f"{header.num_images} of {shape}"),
        ("classes", f"{header.num_classes}: {', '.join(decoded.class_names)}"),
        ("decoder", describe_decoder(header.synthesis_id, header.synthesis_widths)),
    ]


def _bar(inspection: Inspection) -> str:
    """Return the parts side by side, as wide as their bytes, explicit ones first."""
    total, left, shapes = inspection.file_bytes, 0.0, []
    for part in sorted(inspection.parts, key=lambda part: list(_COLOURS).index(part.kind)):
        width = _BAR_WIDTH * part.num_bytes / total
        shapes.append(
            f'<rect x="{left:.3f}" y="0" width="{width:.3f}" height="{_BAR_HEIGHT:g}" '
            f'fill="{_COLOURS[part.kind]}" stroke="#fff" stroke-width="0.5">'
            f"<title>{_text(part.name)}: {format_bytes(part.num_bytes)}</title></rect>"
        )
        left += width
    keys = "".join(
        f'<span class="key" style="background: {_COLOURS[kind]}"></span>{_text(name)}, '
        f"{inspection.percent_of(kind):.2f} %"
        for kind, name in _KINDS.items()
    )
    view = f'viewBox="0 0 {_BAR_WIDTH:g} {_BAR_HEIGHT:g}"'
    bar = f'<svg {view} role="img" aria-label="bytes of each part">{"".join(shapes)}</svg>'
    return f"{bar}\n<p>{keys}</p>"


def _parts(inspection: Inspection) -> str:
    rows = _lines(_part_row(part) for part in inspection.parts)
    return (
        '<table><thead><tr><th>part</th><th>kind</th><th class="number">bytes</th>'
        f'<th class="number">%</th></tr></thead>\n<tbody>\n{rows}\n</tbody>\n'
        f'<tfoot><tr><td>file</td><td></td><td class="number">{inspection.file_bytes:,}</td>'
        '<td class="number">100.00</td></tr></tfoot></table>'
    )


def _part_row(part: Part) -> str:
    return (
        f'<tr class="part"><td>{_text(part.name)}</td><td>{_text(part.kind)}</td>'
        f'<td class="number">{part.num_bytes:,}</td><td class="number">{part.percent:.2f}</td></tr>'
    )


def _accuracies(evaluations: Sequence[Evaluation]) -> str:
    rows = []
    for found in evaluations:
        tested = "test images" if found.split == "test" else "validation part, not the test set"
        accuracy = f"{fmean(found.accuracies):.2f} ± {pstdev(found.accuracies):.2f} %"
        single = ", ".join(f"{value:.2f}" for value in found.accuracies)
        cells = (found.dataset, tested, found.protocol, found.arch, accuracy, single)
        rows.append(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>")
    names = ("dataset", "tested on", "protocol", "network", "accuracy", "each network, %")
    heads = "".join(f"<th>{name}</th>" for name in names)
    return (
        f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n{_lines(rows)}\n</tbody></table>\n"
        '<p class="quiet">Mean ± deviation over networks. Figures of different protocols are not '
        "comparable.</p>"
    )


def _sheet(decoded: DecodedFile, per_class: int, scale: int, limits: DecodeLimits | None) -> str:
    stream = io.BytesIO()
    draw_contact_sheet(decoded, per_class, scale, limits).save(stream, "PNG")
    data = base64.b64encode(stream.getvalue()).decode()
    names = ", ".join(decoded.class_names)
    return (
        f'<img src="data:image/png;base64,{data}" alt="a row of images for each class: '
        f'{_text(names)}"/>'
    )


def _settings(record: Mapping[str, Any]) -> str:
    """Return a record as tables: settings first, then the other facts."""
    recipe = record.get("recipe")
    settings = recipe if isinstance(recipe, dict) else {}
    others = {
        f"{key} {name}" if isinstance(value, dict) else key: inner
        for key, value in record.items()
        if key not in ("recipe", "asked")
        for name, inner in (value.items() if isinstance(value, dict) else [("", value)])
    }
    return f"{_facts(_shown(settings))}\n<h2>Run</h2>\n{_facts(_shown(others))}"


def _shown(values: Mapping[str, Any]) -> list[tuple[str, object]]:
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in values.items()
    ]

"""A labelled contact sheet: a row of images for each class."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddcodec.codec.decode import DecodedFile
from ddcodec.errors import RecipeError
from ddcodec.export.output import check_output
from ddcodec.export.picture import picture
from ddcodec.format.claims import check_claim, sheet_claim
from ddcodec.format.limits import DecodeLimits
from ddcodec.format.printable import printable
from ddcodec.kept.writing import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN = 2
"""Pixels between the pictures of a contact sheet."""

LARGEST_SHEET_PIXELS = 1 << 27
_FONT_SIZE = 14
_LONGEST_LABEL = 24


def write_contact_sheet(
    decoded: DecodedFile,
    path: Path,
    per_class: int = 10,
    scale: int = 2,
    force: bool = False,
    limits: DecodeLimits | None = None,
) -> tuple[int, int]:
    """Write a PNG with one labelled row of images per decoded class; returns width and height.

    Raises:
        FormatError: if drawing it exceeds the limits.
        RecipeError: if the sheet would be too large.
        OutputError: if the file cannot be written.
    """
    check_output(path, force)
    sheet = draw_contact_sheet(decoded, per_class, scale, limits)
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    write_atomically(stream.getvalue(), path)
    return sheet.size


def draw_contact_sheet(
    decoded: DecodedFile, per_class: int, scale: int, limits: DecodeLimits | None = None
) -> Image:
    """Draw one row per decoded class: its name, then its first images, nearest-neighbour scaled.

    Raises:
        FormatError: if that exceeds the limits.
        RecipeError: if the sheet would be too large.
    """
    from PIL import Image, ImageDraw, ImageFont

    classes = slice(None) if decoded.classes is None else decoded.classes
    counts = decoded.content.class_counts[classes]
    columns = min(per_class, int(counts.max()))
    cell_height = scale * decoded.header.height + MARGIN
    cell_width = scale * decoded.header.width + MARGIN
    row_height = max(cell_height, _FONT_SIZE + 2 * MARGIN)
    _check_size(columns * cell_width, len(counts) * row_height)
    chosen = np.array(decoded.class_names, dtype=object)[classes]
    names = [printable(name)[:_LONGEST_LABEL] for name in chosen]
    # No letter is wider than it is high.
    widest = max(map(len, names)) * _FONT_SIZE + 4 * MARGIN + columns * cell_width
    num_pictures = int(np.minimum(counts, columns).sum())
    header, file_bytes = decoded.header, decoded.file_bytes
    claim = sheet_claim(header, file_bytes, num_pictures, widest * len(names) * row_height)
    check_claim(header, file_bytes, limits or DecodeLimits(), claim)
    font = ImageFont.load_default(_FONT_SIZE)
    label_width = round(max(font.getlength(name) for name in names)) + 4 * MARGIN
    size = (label_width + columns * cell_width, len(names) * row_height + MARGIN)
    _check_size(*size)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    # Images are sorted by class.
    firsts = np.cumsum(counts) - counts
    for row, name in enumerate(names):
        top = MARGIN + row * row_height
        pen.text((2 * MARGIN, top + row_height / 2), name, "black", font, anchor="lm")
        for column in range(min(columns, int(counts[row]))):
            pixels = decoded.images[firsts[row] + column]
            pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
            sheet.paste(picture(pixels), (label_width + column * cell_width, top))
    return sheet


def _check_size(width: int, height: int) -> None:
    if width * height > LARGEST_SHEET_PIXELS:
        raise RecipeError(
            f"The sheet would have {width} x {height} pixels, which is too large; lower "
            "--per-class or --scale."
        )

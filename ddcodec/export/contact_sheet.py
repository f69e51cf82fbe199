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
    decoded: DecodedFile, path: Path, per_class: int = 10, scale: int = 2, force: bool = False
) -> tuple[int, int]:
    """Write a PNG with one labelled row of images per class; returns its width and height.

    Raises:
        RecipeError: if the sheet would be too large.
        OutputError: if the file cannot be written.
    """
    check_output(path, force)
    sheet = draw_contact_sheet(decoded, per_class, scale)
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    write_atomically(stream.getvalue(), path)
    return sheet.size


def draw_contact_sheet(decoded: DecodedFile, per_class: int, scale: int) -> Image:
    """Draw one row per class: its name, then its first images, nearest-neighbour scaled.

    Raises:
        RecipeError: if the sheet would be too large.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_FONT_SIZE)
    names = [printable(name)[:_LONGEST_LABEL] for name in decoded.class_names]
    label_width = round(max(font.getlength(name) for name in names)) + 4 * MARGIN
    counts = np.bincount(decoded.labels, minlength=len(names))
    columns = min(per_class, int(counts.max()))
    cell_height = scale * decoded.header.height + MARGIN
    cell_width = scale * decoded.header.width + MARGIN
    row_height = max(cell_height, _FONT_SIZE + 2 * MARGIN)
    size = (label_width + columns * cell_width, len(names) * row_height + MARGIN)
    if size[0] * size[1] > LARGEST_SHEET_PIXELS:
        raise RecipeError(
            f"The sheet would have {size[0]} x {size[1]} pixels, which is too large; lower "
            "--per-class or --scale."
        )
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for label, name in enumerate(names):
        top = MARGIN + label * row_height
        pen.text((2 * MARGIN, top + row_height / 2), name, "black", font, anchor="lm")
        members = np.flatnonzero(decoded.labels == label)[:columns]
        for column, index in enumerate(members):
            pixels = decoded.images[index].repeat(scale, axis=1).repeat(scale, axis=2)
            sheet.paste(picture(pixels), (label_width + column * cell_width, top))
    return sheet

"""The contact sheet shows the pixels of the file."""

from pathlib import Path

import numpy as np
import pytest
from export.golden_files import GOLDEN, golden, named
from PIL import Image

from ddcodec.errors import RecipeError
from ddcodec.export.contact_sheet import MARGIN, draw_contact_sheet, write_contact_sheet
from ddcodec.results.reading import decode_file


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_contact_sheet_shows_the_pixels(path: Path, tmp_path: Path) -> None:
    """Each image stands in its class's row, every pixel `scale` times as large."""
    decoded = decode_file(path)
    scale, per_class = 3, 2
    size = write_contact_sheet(decoded, tmp_path / "sheet.png", per_class, scale)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    assert sheet.shape == (size[1], size[0], 3)
    header = decoded.header
    row_height = (size[1] - MARGIN) // header.num_classes
    cell_width = scale * header.width + MARGIN
    columns = min(per_class, int(np.bincount(decoded.labels).max()))
    left = size[0] - columns * cell_width
    for label in range(header.num_classes):
        members = np.flatnonzero(decoded.labels == label)[:columns]
        for column, index in enumerate(members):
            top, start = MARGIN + label * row_height, left + column * cell_width
            cell = sheet[top : top + scale * header.height, start : start + scale * header.width]
            picture = decoded.images[index].transpose(1, 2, 0)
            picture = np.broadcast_to(picture, (*picture.shape[:2], 3))
            assert np.array_equal(cell, picture.repeat(scale, 0).repeat(scale, 1))


def test_contact_sheet_of_some_classes(tmp_path: Path) -> None:
    """Rows of classes that were not decoded are left out; the others look as ever."""
    path = GOLDEN[0].with_name("sets.ddc")
    whole = np.asarray(draw_contact_sheet(decode_file(path), 3, 2))
    part = np.asarray(draw_contact_sheet(decode_file(path, classes="2,0"), 3, 2))
    row_height = (len(whole) - MARGIN) // 3
    rows = [whole[MARGIN + row * row_height :][:row_height] for row in (0, 2)]
    assert np.array_equal(part[MARGIN:], np.concatenate(rows))


def test_contact_sheet_takes_any_name() -> None:
    """Control characters and long names are drawn, not obeyed."""
    sheet = draw_contact_sheet(named("a\nb\0", "x" * 255, ""), 1, 1)
    assert sheet.width < 400


def test_contact_sheet_is_bounded() -> None:
    """A sheet of absurd size is refused."""
    with pytest.raises(RecipeError, match="too large"):
        draw_contact_sheet(golden("colour"), per_class=2, scale=10_000)

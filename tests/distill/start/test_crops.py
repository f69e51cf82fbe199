"""Crops: where they are drawn, what size they are brought to, how they are packed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.distill.start.crops import (
    CROPS_PER_IMAGE,
    as_seen,
    check_room,
    cut,
    edges,
    packed,
    random_boxes,
)
from ddcodec.errors import RecipeError


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(1, 40), st.integers(1, 40))
def test_boxes_lie_in_the_image(seed: int, row: int, height: int, width: int) -> None:
    """Every box has a pixel, lies inside, and keeps the proportions up to rounding."""
    boxes = random_boxes(seed, row, height, width)
    assert len(boxes) == CROPS_PER_IMAGE
    for top, left, rows, columns in boxes:
        assert top >= 0 and top + rows <= height and rows >= 1
        assert left >= 0 and left + columns <= width and columns >= 1
        assert abs(rows / height - columns / width) <= 0.5 / height + 0.5 / width + 1e-9 or (
            rows == 1 or columns == 1
        )


def test_boxes_are_pinned() -> None:
    """The raw words of PCG64 decide, for a seed and a row."""
    assert random_boxes(0, 7, 32, 48) == [
        (0, 22, 15, 23),
        (4, 9, 15, 23),
        (4, 3, 16, 23),
        (17, 20, 13, 20),
        (3, 8, 16, 25),
    ]
    assert random_boxes(0, 8, 32, 48) != random_boxes(0, 7, 32, 48) != random_boxes(1, 7, 32, 48)


def test_areas_and_places_are_spread() -> None:
    """Areas are uniform from 0.08 to 1, and the room around a crop is used up to both ends."""
    boxes = np.array([box for row in range(400) for box in random_boxes(3, row, 1000, 1000)])
    areas = boxes[:, 2] * boxes[:, 3] / 1e6
    assert 0.079 < areas.min() < 0.09 and 0.99 < areas.max() <= 1.0
    assert abs(areas.mean() - 0.54) < 0.02
    for axis in (0, 1):
        room = 1000 - boxes[:, axis + 2]
        places = boxes[room > 100, axis] / room[room > 100]
        assert places.min() < 0.02 and places.max() > 0.98 and abs(places.mean() - 0.5) < 0.03


def test_cut_by_hand() -> None:
    """A box of its own size is cut out; halved, pixels are means with those around them."""
    image = np.arange(0, 160, 10, dtype=np.uint8).reshape(1, 4, 4)
    assert cut(image, (1, 2, 2, 2), (2, 2)).tolist() == [[[60, 70], [100, 110]]]
    flat = np.full((3, 6, 6), 77, dtype=np.uint8)
    assert (cut(flat, (0, 0, 6, 6), (3, 2)) == 77).all()
    halved = cut(np.array([[[0, 0, 0, 0, 240, 240, 240, 240]]], np.uint8), (0, 0, 1, 8), (1, 4))
    assert halved.tolist() == [[[0, 30, 210, 240]]]
    assert cut(image, (0, 0, 1, 2), (1, 4)).tolist() == [[[0, 2, 8, 10]]]


def test_packed_by_hand() -> None:
    """Four crops fill four cells, row by row; where a side is odd the later cell is larger."""
    images = [np.full((3, 8, 8), 50 * number, dtype=np.uint8) for number in range(1, 5)]
    whole = packed([image[:, :5, :7] for image in images], [(0, 0, 4, 3)] * 4, 2)
    assert whole.shape == (3, 5, 7)
    expected = [[50] * 3 + [100] * 4] * 2 + [[150] * 3 + [200] * 4] * 3
    assert whole[0].tolist() == expected and (whole == whole[:1]).all()
    assert edges(7, 2) == [0, 3, 7]
    one = packed(images[:1], [(2, 2, 3, 3)], 1)
    assert one.shape == (3, 8, 8) and (one == 50).all()


def test_networks_see_what_is_kept() -> None:
    """A crop for a quarter of an image is shown blurred to all of it; a whole one as it is cut."""
    image = np.zeros((1, 8, 8), dtype=np.uint8)
    image[:, :, ::2] = 255
    fine, coarse = as_seen(image, (0, 0, 8, 8), 1), as_seen(image, (0, 0, 8, 8), 2)
    assert (fine == image).all()
    assert coarse.shape == (1, 8, 8)
    assert int(np.ptp(coarse[..., 2:6])) < 20 < int(np.ptp(fine))


def test_images_smaller_than_their_crops_are_refused() -> None:
    """Every crop needs a pixel."""
    check_room(2, 2, 2)
    with pytest.raises(RecipeError, match="Images of 1×9 pixels have no room for 2×2 crops"):
        check_room(1, 9, 2)

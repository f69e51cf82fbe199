"""Crops of images: drawn at random, cut out, brought to a size, packed into one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ddcodec.errors import RecipeError

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Top, left, height and width in pixels."""

CROPS_PER_IMAGE = 5
SMALLEST_AREA = 0.08
"""Of a crop, as a share of the image; both as in RDED."""

_WORDS = 2.0**64
_STREAM = 1
"""Tells these words from those of a seed and a class."""


def random_boxes(seed: int, row: int, height: int, width: int) -> list[Box]:
    """Return the random crops of an image, `CROPS_PER_IMAGE` boxes.

    Shares of the area are uniform from `SMALLEST_AREA` to 1, and so is the place; a crop has the
    proportions of its image, so that nothing is distorted.

    Args:
        seed: of the run.
        row: of the image; the crops of an image do not depend on which others are looked at.
        height: of the image.
        width: of the image.
    """
    # Raw words never change between NumPy releases.
    words = np.random.PCG64([seed, row, _STREAM]).random_raw(3 * CROPS_PER_IMAGE)
    boxes = []
    for area, down, right in (words / _WORDS).reshape(CROPS_PER_IMAGE, 3):
        side = (SMALLEST_AREA + (1 - SMALLEST_AREA) * area) ** 0.5
        rows, columns = max(1, round(side * height)), max(1, round(side * width))
        top = min(height - rows, int(down * (height - rows + 1)))
        left = min(width - columns, int(right * (width - columns + 1)))
        boxes.append((top, left, rows, columns))
    return boxes


def cut(image: Pixels, box: Box, size: tuple[int, int]) -> Pixels:
    """Return a box of an image C×H×W, brought to a size (height, width) bilinearly."""
    top, left, height, width = box
    part = torch.from_numpy(np.ascontiguousarray(image[:, top : top + height, left : left + width]))
    if size == (height, width):
        return part.numpy()
    resized = F.interpolate(part[None].float(), size, mode="bilinear", antialias=True)
    return cast(Pixels, resized[0].round().clamp(0, 255).to(torch.uint8).numpy())


def as_seen(image: Pixels, box: Box, pack: int) -> Pixels:
    """Return a crop as it is left in an image of pack × pack, enlarged to the whole image.

    Networks are trained on whole images, and are asked about what is kept, blur included.
    """
    height, width = image.shape[1:]
    cell = cut(image, box, (height // pack, width // pack))
    return cut(cell, (0, 0, *cell.shape[1:]), (height, width))


def packed(images: Sequence[Pixels], boxes: Sequence[Box], pack: int) -> Pixels:
    """Return pack × pack crops in one image C×H×W, row by row.

    Args:
        images: that the crops are of, each C×H×W, pack² of them.
        boxes: one for each.
        pack: crops side by side; cells differ by one pixel where the size is no multiple of it.
    """
    whole = np.empty_like(images[0])
    rows, columns = (edges(size, pack) for size in whole.shape[1:])
    for number, (image, box) in enumerate(zip(images, boxes, strict=True)):
        down, right = divmod(number, pack)
        top, bottom = rows[down : down + 2]
        left, end = columns[right : right + 2]
        whole[:, top:bottom, left:end] = cut(image, box, (bottom - top, end - left))
    return whole


def edges(size: int, pack: int) -> list[int]:
    """Return where cells of a side begin, and its end: pack + 1 numbers."""
    return [size * index // pack for index in range(pack + 1)]


def check_room(height: int, width: int, pack: int) -> None:
    """See that an image has a pixel for every crop.

    Raises:
        RecipeError: if it has not.
    """
    if pack > min(height, width):
        raise RecipeError(
            f"Images of {height}×{width} pixels have no room for {pack}×{pack} crops; use --init "
            "crops, or larger images."
        )

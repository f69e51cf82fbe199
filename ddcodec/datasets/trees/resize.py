"""Bring images to one size: the short side is scaled, the middle is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddcodec.errors import DataError

MAX_SIDE = 512  # pixels; the most the codec can code

# Another filter would make other pixels of the same images. Pillow's bicubic filter widens with
# the reduction, so that fine detail is averaged and does not alias; its arithmetic is in integers.
FILTER = Image.Resampling.BICUBIC

_SIZE = re.compile(r"\s*([0-9]{1,6})\s*(?:[x×]\s*([0-9]{1,6})\s*)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class ImageSize:
    """Say what size images are brought to.

    Attributes:
        height: H in pixels, 1 to 512.
        width: W in pixels, 1 to 512.

    Raises:
        DataError: if a side is out of range.
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        if not (1 <= self.height <= MAX_SIDE and 1 <= self.width <= MAX_SIDE):
            raise DataError(
                f"images of {self.height}x{self.width} pixels cannot be coded; choose a size "
                f"from 1 to {MAX_SIDE}."
            )

    def __str__(self) -> str:
        if self.height == self.width:
            return str(self.height)
        return f"{self.height}x{self.width}"

    @classmethod
    def of(cls, size: ImageSize | int | tuple[int, int] | str) -> ImageSize:
        """Read a size: `128` or `(96, 128)`, height first, or as text `128` or `96x128`.

        Raises DataError for anything else and for sides out of range.
        """
        if isinstance(size, ImageSize):
            return size
        if isinstance(size, str):
            found = _SIZE.fullmatch(size)
            if found is None:
                raise DataError(f"'{size}' is not a size; write 128, or 96x128, height first.")
            return cls(int(found[1]), int(found[2] or found[1]))
        height, width = (size, size) if isinstance(size, int) else size
        return cls(int(height), int(width))


def fit(image: Image.Image, size: ImageSize) -> Image.Image:
    """Scale an image, L or RGB, until it just covers `size`, and cut off what sticks out evenly.

    An image that has the size already stays as it is. See FILTER for the arithmetic.
    """
    scale = min(image.width / size.width, image.height / size.height)
    width, height = scale * size.width, scale * size.height
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = (left, top, left + width, top + height)
    return image.resize((size.width, size.height), FILTER, box=box)


def fit_pixels(pixels: NDArray[np.uint8], size: ImageSize) -> NDArray[np.uint8]:
    """Do to an array of pixels, uint8, C×H×W with C 1 or 3, what `fit` does to an image."""
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    fitted = np.asarray(fit(image, size))
    return fitted[None] if fitted.ndim == 2 else fitted.transpose(2, 0, 1)

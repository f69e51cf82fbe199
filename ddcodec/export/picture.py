"""Pixels of one image as a picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image


def picture(pixels: NDArray[np.uint8]) -> Image:
    """Return C × H × W uint8, C 1, 3 or 4, as a grey, RGB or RGBA picture."""
    from PIL import Image

    if len(pixels) == 1:
        return Image.fromarray(pixels[0])
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """Return C × H × W uint8 as the bytes of a PNG file."""
    stream = io.BytesIO()
    picture(pixels).save(stream, "PNG")
    return stream.getvalue()

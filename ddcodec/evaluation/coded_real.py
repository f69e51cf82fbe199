"""Random real images in as many bytes as a training set takes, coded by a common image codec."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from ddcodec.errors import DataError
from ddcodec.evaluation.random_real import order_of_class

QUALITY = 5
"""Of WebP, which writes images of 32×32 in a third of the bytes of JPEG and AVIF, whose headers
alone take 300. Chosen on the validation part of CIFAR-10 (docs/results/codec.md)."""

_EFFORT = 6


@dataclass(frozen=True)
class CodedReal:
    """Real images as they come out of WebP files.

    Attributes:
        rows: Indices into the real images, int64 N, by class.
        images: uint8 N×C×H×W.
        num_bytes: Of all files, headers included.
    """

    rows: NDArray[np.int64]
    images: NDArray[np.uint8]
    num_bytes: int


def draw_coded_real(
    image: Callable[[int], NDArray[np.uint8]],
    labels: NDArray[np.int64],
    num_classes: int,
    budget_bytes: float,
    seed: int,
    quality: int = QUALITY,
) -> CodedReal:
    """Draw as many images of each class as fit into its share of a budget.

    Args:
        image: Returns a real image by its number in 0 … N − 1, uint8 C×H×W.
        labels: Of the real images, N.
        num_classes: Classes that share the budget evenly.
        budget_bytes: Of all classes.
        seed: Fixes the order in which the images of a class are taken.
        quality: Of WebP, 0 to 100.

    Raises:
        DataError: Not one image of a class fits.
    """
    rows, decoded, num_bytes = [], [], 0
    for label in range(num_classes):
        left = budget_bytes / num_classes
        for row in order_of_class(labels, label, seed).tolist():
            pixels = image(row)
            data = _encode(pixels, quality)
            if len(data) > left:
                break
            left -= len(data)
            num_bytes += len(data)
            rows.append(row)
            decoded.append(_decode(data, len(pixels)))
        if not rows or labels[rows[-1]] != label:
            raise DataError(
                f"{budget_bytes / num_classes:,.0f} bytes do not hold one image of class {label} "
                "as WebP, so that there is no such reference."
            )
    return CodedReal(np.array(rows, dtype=np.int64), np.stack(decoded), num_bytes)


def webp_version() -> str:
    """Return the version of the codec, of which bytes depend."""
    return str(features.version("webp"))


def _encode(image: NDArray[np.uint8], quality: int) -> bytes:
    stream = io.BytesIO()
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    Image.fromarray(pixels).save(stream, "WEBP", quality=quality, method=_EFFORT)
    return stream.getvalue()


def _decode(data: bytes, channels: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))

"""Exact layers over many pixels: a few at a time, 3×3 surroundings of each, pixels at the end."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ddcodec.entropy.exact import Carried, Floats

CHUNK_PIXELS = 1 << 15
"""Pixels decoded together; the result does not depend on it."""

CHUNK_MACS = 1 << 18
"""Multiply-adds of one matrix product: its result stays in cache and is not worth a second thread,
whose start costs more than it gains. The result does not depend on it."""


Latents = Sequence[NDArray[np.int16] | NDArray[np.float64]]
"""Per plane, N × h × w: symbols, or symbols with details, in multiples of 1/16."""


def in_chunks(
    decode: Callable[[Latents], NDArray[np.uint8]],
    latents: Latents,
    image_shape: tuple[int, int, int],
) -> NDArray[np.uint8]:
    """Decode a few images at a time.

    Args:
        decode: returns images, n × C × H × W, of the latents of n images.
        latents: of all N images.
        image_shape: channels, height, width.

    Returns:
        N × C × H × W.
    """
    count = len(latents[0])
    images = np.empty((count, *image_shape), dtype=np.uint8)
    step = max(1, CHUNK_PIXELS // (image_shape[1] * image_shape[2]))
    for start in range(0, count, step):
        part = slice(start, start + step)
        images[part] = decode([plane[part] for plane in latents])
    return images


def in_columns(layer: Callable[[Floats], Floats], inputs: Floats, macs_per_column: int) -> Floats:
    """Apply a layer to a few columns at a time."""
    step = max(64, CHUNK_MACS // macs_per_column)
    parts = [layer(inputs[:, at : at + step]) for at in range(0, inputs.shape[1], step)]
    return np.concatenate(parts, axis=1)


def product(matrix: Carried, inputs: Carried, outputs: Carried) -> None:
    """Write a matrix product, a few columns at a time."""
    step = max(64, CHUNK_MACS // matrix.size)
    for start in range(0, inputs.shape[1], step):
        part = slice(start, start + step)
        np.matmul(matrix, inputs[:, part], out=outputs[:, part])


def neighbourhoods(values: Floats, side: int = 3) -> Floats:
    """Return the square surroundings of every pixel, zeros outside: (side² · C) × pixels."""
    channels, _, rows, columns = values.shape
    reach, offsets = side // 2, range(side)
    padded = np.pad(values, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    parts = [padded[:, :, dy : dy + rows, dx : dx + columns] for dy in offsets for dx in offsets]
    return np.stack(parts).reshape(side**2 * channels, -1)


def kernel_matrix(kernels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return kernels, O × C × side × side, as a matrix over what `neighbourhoods` returns."""
    return kernels.transpose(0, 2, 3, 1).reshape(len(kernels), -1)

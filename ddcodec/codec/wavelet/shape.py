"""The architecture of a wavelet decoder, as float and integer arithmetic both know it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddcodec.format.planes import WAVELET, WAVELET_HALF_CHROMA, Plane, halved, planes_of

NUM_LOW_TAPS, NUM_HIGH_TAPS = 4, 5
"""Halves of the symmetric kernels of 7 and 9 taps, the centre first."""

NUM_TAPS = NUM_LOW_TAPS + NUM_HIGH_TAPS


@dataclass(frozen=True)
class WaveletShape:
    """Architecture of a wavelet decoder.

    Attributes:
        num_levels: times the image is halved.
        widths: hidden widths of the refinement; none leaves it out.
        channels: image channels.
        height, width: image size in pixels.
        half_chroma: whether the finest level knows the first colour component only.
    """

    num_levels: int
    widths: tuple[int, ...]
    channels: int
    height: int
    width: int
    half_chroma: bool = False

    @property
    def synthesis_id(self) -> int:
        """Number of this family in a file (docs/format.md)."""
        return WAVELET_HALF_CHROMA if self.half_chroma else WAVELET

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Latent planes, the finest first."""
        return planes_of(self.synthesis_id, self.num_levels, self.channels, self.height, self.width)

    @property
    def gain_of_plane(self) -> tuple[int, ...]:
        """Number of the gain of every plane: bands of one level and component share one."""
        numbers = gain_numbers(self.planes)
        return tuple(numbers[plane.level, plane.colour] for plane in self.planes)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor in the order of the file."""
        channels = self.channels
        shapes: dict[str, tuple[int, ...]] = {
            "transform.gains": (len(gain_numbers(self.planes)),),
            "transform.taps": (NUM_TAPS,),
            "synthesis.colour.weight": (channels, channels),
            "synthesis.colour.bias": (channels,),
        }
        if not self.widths:
            return shapes
        sizes = (channels, *self.widths, channels)
        last = len(self.widths)
        for layer, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
            kernel = (3, 3) if layer in (0, last) else ()
            shapes[f"synthesis.{layer}.weight"] = (outputs, inputs, *kernel)
            shapes[f"synthesis.{layer}.bias"] = (outputs,)
        return shapes


def gain_numbers(planes: tuple[Plane, ...]) -> dict[tuple[int, int], int]:
    """Return the number of the gain of each (level, component), in the order of the planes."""
    numbers: dict[tuple[int, int], int] = {}
    for plane in planes:
        numbers.setdefault((plane.level, plane.colour), len(numbers))
    return numbers


@lru_cache(maxsize=32)
def synthesis_basis(size: int) -> NDArray[np.int8]:
    """Return for each tap its part in a line of `size` ≥ 2: 9 × size × size, 0 … 2.

    Low and high coefficients lie in turns on the line, which goes on mirrored at both ends without
    repeating the last one; columns are ordered low half first.
    """
    num_low = halved(size, 1)
    # One byte each: what is kept for the next file is that of all sizes that strangers' files had.
    basis = np.zeros((NUM_TAPS, size, size), dtype=np.int8)
    for row in range(size):
        for distance in range(-NUM_HIGH_TAPS + 1, NUM_HIGH_TAPS):
            source = (row + distance) % (2 * size - 2)
            source = min(source, 2 * size - 2 - source)
            half, odd = divmod(source, 2)
            if odd:
                basis[NUM_LOW_TAPS + abs(distance), row, num_low + half] += 1
            elif abs(distance) < NUM_LOW_TAPS:
                basis[abs(distance), row, half] += 1
    return basis

"""The architecture of a pyramid decoder, as float and integer arithmetic both know it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddcodec.format.planes import PYRAMID, Plane, planes_of

NUM_TAPS = 4


@dataclass(frozen=True)
class PyramidShape:
    """Architecture of the upsampler and the decoder network.

    Attributes:
        num_levels: latent levels, the network's inputs.
        widths: hidden widths of the 1×1 layers.
        channels: image channels.
        height, width: image size in pixels.
    """

    num_levels: int
    widths: tuple[int, ...]
    channels: int
    height: int
    width: int

    @property
    def synthesis_id(self) -> int:
        """Number of this family in a file (docs/format.md)."""
        return PYRAMID

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Latent planes, one a level, the finest first."""
        return planes_of(PYRAMID, self.num_levels, self.channels, self.height, self.width)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor in the order of the file."""
        shapes: dict[str, tuple[int, ...]] = {"upsampling.taps": (NUM_TAPS,)}
        sizes = (self.num_levels, *self.widths, self.channels)
        for layer, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
            shapes[f"synthesis.{layer}.weight"] = (outputs, inputs)
            shapes[f"synthesis.{layer}.bias"] = (outputs,)
        for layer in range(2):
            shapes[f"synthesis.spatial{layer}.weight"] = (self.channels, self.channels, 3, 3)
            shapes[f"synthesis.spatial{layer}.bias"] = (self.channels,)
        return shapes


@lru_cache(maxsize=32)
def doubling_basis(count: int) -> NDArray[np.float32]:
    """Return for each tap its part in doubling an axis to `count`: 4 × count × ceil(count/2)."""
    size = -(-count // 2)
    basis = np.zeros((NUM_TAPS, count, size), dtype=np.float32)
    for row in range(count):
        source, odd = divmod(row, 2)
        for offset in range(NUM_TAPS):
            tap = NUM_TAPS - 1 - offset if odd else offset
            # Borders are repeated.
            column = min(max(source + offset + odd - 2, 0), size - 1)
            basis[tap, row, column] += 1
    return basis

"""Pixels as latents: images coded as they are, without loss, by the context model alone.

The latents of an image are its channels less 128, and the decoder adds 128 again. It is what the
plain method of the field optimises, here for comparison (`--parameterization pixels`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.parameters import NetworkTensors
from ddcodec.codec.surroundings import Latents
from ddcodec.format.planes import PIXELS, Plane, planes_of

if TYPE_CHECKING:
    from torch import Generator, Tensor

MID_GREY = 128
"""The pixel that a latent of 0 stands for."""


@dataclass(frozen=True)
class PixelSynthesis:
    """The decoder that has no weights.

    Attributes:
        channels: image channels.
        height, width: image size in pixels.
    """

    channels: int
    height: int
    width: int

    @property
    def synthesis_id(self) -> int:
        """Number of this family in a file (docs/format.md)."""
        return PIXELS

    @property
    def num_levels(self) -> int:
        """One resolution."""
        return 1

    @property
    def widths(self) -> tuple[int, ...]:
        """No hidden layers."""
        return ()

    @property
    def planes(self) -> tuple[Plane, ...]:
        """One plane for each channel, the last channel first."""
        return planes_of(PIXELS, 1, self.channels, self.height, self.width)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return nothing: there are no weights."""
        return {}

    def initial_parameters(self, generator: Generator) -> dict[str, Tensor]:
        """Return nothing: there are no weights."""
        return {}

    def latents_of(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the latents that decode to these images, N × P, integers in float32."""
        values = images[:, ::-1].reshape(len(images), -1).astype(np.float32)
        return values - MID_GREY

    def render(self, parameters: dict[str, Tensor], latents: Tensor) -> Tensor:
        """Return images, N × C × H × W, of latents, N × P; a pixel is `256 · value − ½`."""
        values = latents.view(-1, self.channels, self.height, self.width).flip(1)
        return (values + (MID_GREY + 0.5)) / 256

    def exact(self, tensors: NetworkTensors) -> PixelSynthesis:
        """Return itself: nothing is rounded."""
        return self

    def decode(self, latents: Latents) -> NDArray[np.uint8]:
        """Return images, N × C × H × W uint8, of latents given per plane as N × h × w int16."""
        values = np.stack(latents[::-1], axis=1).astype(np.int64) + MID_GREY
        return np.clip(values, 0, 255).astype(np.uint8)

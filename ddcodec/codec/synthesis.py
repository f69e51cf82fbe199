"""Decoder families: what turns latents into images, by name and by number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.parameters import NetworkTensors
from ddcodec.codec.pixels import PixelSynthesis
from ddcodec.codec.pyramid.synthesis import PyramidSynthesis
from ddcodec.codec.surroundings import Latents
from ddcodec.codec.wavelet.synthesis import WaveletSynthesis
from ddcodec.errors import RecipeError
from ddcodec.format.planes import PIXELS, PYRAMID, WAVELET_HALF_CHROMA, Plane

if TYPE_CHECKING:
    from torch import Generator, Tensor

PYRAMID_FAMILY, WAVELET_FAMILY = "pyramid", "wavelet"

DECODERS: dict[str, tuple[int, ...]] = {
    "v0": (40,),
    "v1": (40, 20),
    "v2": (20, 20, 20),
    "v3": (128, 40),
    "v3-2": (160,),
    "v3-3": (80, 40),
    "v3-4": (240,),
    "v4": (160, 40),
    "v4-480": (480,),
    "v5": (240, 40),
    "v5-1": (240,),
    "v5-2": (720,),
    "v5-3": (480,),
    "v5-480": (480,),
    "v5-640": (640,),
    "v5-4": (960,),
    "v5-6": (1200,),
    "v6": (320, 40),
    "v7": (480, 40),
}
"""Hidden widths by the names of arXiv 2507.17221 and its code."""


class ExactDecoder(Protocol):
    """A decoder in integers."""

    def decode(self, latents: Latents) -> NDArray[np.uint8]:
        """Return images, N × C × H × W uint8, of latents given per plane as N × h × w int16."""
        ...


class Synthesis(Protocol):
    """Architecture of a decoder of any family."""

    @property
    def synthesis_id(self) -> int:
        """Number of the family in a file."""
        ...

    @property
    def num_levels(self) -> int:
        """Resolutions of the latents."""
        ...

    @property
    def widths(self) -> tuple[int, ...]:
        """Hidden widths."""
        ...

    @property
    def channels(self) -> int:
        """Image channels."""
        ...

    @property
    def height(self) -> int:
        """Rows of an image."""
        ...

    @property
    def width(self) -> int:
        """Columns of an image."""
        ...

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Latent planes, the finest first."""
        ...

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor in the order of the file."""
        ...

    def initial_parameters(self, generator: Generator) -> dict[str, Tensor]:
        """Return the weights that training starts from."""
        ...

    def render(self, parameters: dict[str, Tensor], latents: Tensor) -> Tensor:
        """Render images, N × C × H × W, of flat latents, N × P, differentiably."""
        ...

    def exact(self, tensors: NetworkTensors) -> ExactDecoder:
        """Build the integer decoder of quantised tensors."""
        ...


def build_synthesis(
    synthesis_id: int,
    num_levels: int,
    widths: tuple[int, ...],
    image_shape: tuple[int, int, int],
) -> Synthesis:
    """Return the architecture behind a synthesis id.

    Args:
        synthesis_id: as in a header.
        num_levels: resolutions of the latents.
        widths: hidden widths.
        image_shape: channels, height, width.
    """
    channels, height, width = image_shape
    if synthesis_id == PYRAMID:
        return PyramidSynthesis(num_levels, widths, channels, height, width)
    if synthesis_id == PIXELS:
        return PixelSynthesis(channels, height, width)
    half_chroma = synthesis_id == WAVELET_HALF_CHROMA
    return WaveletSynthesis(num_levels, widths, channels, height, width, half_chroma)


@dataclass(frozen=True)
class DecoderChoice:
    """A decoder as a user names it.

    Attributes:
        family: `pyramid` or `wavelet`.
        widths: hidden widths; a wavelet may have none.
    """

    family: str
    widths: tuple[int, ...]

    def __str__(self) -> str:
        widths = ",".join(str(width) for width in self.widths)
        if self.family == PYRAMID_FAMILY:
            return widths
        return f"{WAVELET_FAMILY}-{widths}" if widths else WAVELET_FAMILY


def parse_decoder(text: str) -> DecoderChoice:
    """Read a decoder: `wavelet`, `wavelet-16`, a name of the paper (`v3-2`) or widths (`240,40`).

    Raises:
        RecipeError: if it is none of these.
    """
    if text in DECODERS:
        return DecoderChoice(PYRAMID_FAMILY, DECODERS[text])
    if text == WAVELET_FAMILY:
        return DecoderChoice(WAVELET_FAMILY, ())
    family = WAVELET_FAMILY if text.startswith(f"{WAVELET_FAMILY}-") else PYRAMID_FAMILY
    numbers = text.removeprefix(f"{WAVELET_FAMILY}-").strip("[] ")
    try:
        widths = tuple(int(part) for part in numbers.split(","))
    except ValueError:
        widths = ()
    if not 1 <= len(widths) <= 8 or not all(1 <= width <= 2048 for width in widths):
        raise RecipeError(
            f"'{text}' is no decoder; give wavelet or wavelet-16 (hidden widths of its "
            "refinement), hidden widths of a pyramid decoder such as 160 or 240,40, or a name "
            f"among {', '.join(DECODERS)}."
        )
    return DecoderChoice(family, widths)

"""Wavelet synthesis: latents → images through a learned inverse wavelet transform.

Latents are wavelet coefficients of a few colour components. Each is multiplied by the gain of its
level and component; two learned symmetric kernels put the bands of one level after another together
(they start as the CDF 9/7 filters of JPEG 2000); a colour matrix and, if asked for, a small
convolutional refinement make the image. Because the transform is nearly orthonormal, an error of
one step in any latent costs about the same, which a pyramid of overlapping levels cannot offer:
latents start as the transform of a picture and can be rounded one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.parameters import NetworkTensors
from ddcodec.codec.wavelet.exact import ExactWavelet
from ddcodec.codec.wavelet.shape import WaveletShape, synthesis_basis
from ddcodec.format.planes import BAND_HORIZONTAL, BAND_LOW, BAND_VERTICAL, Plane, halved

if TYPE_CHECKING:
    from torch import Generator, Tensor

CDF_TAPS = (
    0.79530, 0.42171, -0.04104, -0.06510,
    0.83603, -0.37003, -0.10846, 0.02338, 0.03709,
)  # fmt: skip
"""Synthesis kernels of the CDF 9/7 wavelet (Cohen, Daubechies & Feauveau 1992), each of norm 1."""

INITIAL_GAIN = 0.3
CHUNK_PIXELS = 1 << 15
"""Pixels refined at once in training on a CPU: their 16 hidden channels take two megabytes."""


@dataclass(frozen=True)
class WaveletSynthesis(WaveletShape):
    """A wavelet decoder in float; attributes are those of its architecture."""

    def initial_parameters(self, generator: Generator) -> dict[str, Tensor]:
        """Return the 9/7 wavelet, the identity as colours and a refinement that does nothing."""
        import torch

        parameters = {}
        for name, shape in self.tensor_shapes().items():
            parameters[name] = torch.zeros(shape)
            if name == "transform.gains":
                parameters[name] += INITIAL_GAIN
            elif name == "transform.taps":
                parameters[name] = torch.tensor(CDF_TAPS)
            elif name == "synthesis.colour.weight":
                parameters[name] = torch.eye(self.channels)
            elif name == "synthesis.colour.bias":
                parameters[name] += 0.5
            elif name.endswith("weight") and name != f"synthesis.{len(self.widths)}.weight":
                fan_in = int(np.prod(shape[1:]))
                parameters[name] = torch.randn(shape, generator=generator) * sqrt(2 / fan_in)
        return parameters

    def render(self, parameters: dict[str, Tensor], latents: Tensor) -> Tensor:
        """Render images in floating point, differentiably.

        Args:
            parameters: tensors of `tensor_shapes`.
            latents: N × P, the planes of an image one after another, finest first.

        Returns:
            N × C × H × W; a decoded pixel is `floor(256 · value)`, clamped to 0 … 255.
        """
        import torch

        components = self._inverse(parameters, latents)
        weight, bias = parameters["synthesis.colour.weight"], parameters["synthesis.colour.bias"]
        images = torch.einsum("oc,ncyx->noyx", weight, components) + bias[:, None, None]
        return images + self._refinement(parameters, images) if self.widths else images

    def _inverse(self, parameters: dict[str, Tensor], latents: Tensor) -> Tensor:
        """Return the colour components, N × C × H × W."""
        import torch

        device = latents.device
        gains = parameters["transform.gains"]
        number = torch.repeat_interleave(
            torch.tensor(self.gain_of_plane), torch.tensor([plane.size for plane in self.planes])
        )
        scaled = latents * gains[number.to(device)]
        # All bands of all levels share one grid, as customary: a band lies beside what it refines.
        place = torch.from_numpy(_grid_places(self.planes, self.height, self.width)).to(device)
        grid = scaled.new_zeros(len(latents), self.channels * self.height * self.width)
        grid = grid.index_copy(1, place, scaled)
        grid = grid.view(-1, self.channels, self.height, self.width)
        low = grid[
            ..., : halved(self.height, self.num_levels), : halved(self.width, self.num_levels)
        ]
        for level in reversed(range(self.num_levels)):
            rows, columns = halved(self.height, level), halved(self.width, level)
            low_rows, low_columns = low.shape[-2:]
            top = torch.cat([low, grid[..., :low_rows, low_columns:columns]], -1)
            bands = torch.cat([top, grid[..., low_rows:rows, :columns]], -2)
            taps = parameters["transform.taps"]
            low = synthesis_matrix(taps, rows) @ bands @ synthesis_matrix(taps, columns).t()
        return low

    def _refinement(self, parameters: dict[str, Tensor], images: Tensor) -> Tensor:
        """Return what the convolutions add to images, a few at a time where a cache is small."""
        import torch

        if images.device.type != "cpu":
            return self._convolved(parameters, images)
        # With the channels last, convolutions of few channels are fastest.
        parts = torch.split(images, max(1, CHUNK_PIXELS // (self.height * self.width)))
        last = torch.channels_last
        refined = [
            self._convolved(parameters, part.contiguous(memory_format=last)) for part in parts
        ]
        return torch.cat(refined).contiguous()

    def _convolved(self, parameters: dict[str, Tensor], images: Tensor) -> Tensor:
        from torch.nn.functional import conv2d

        # Zeros around the image should look like mid-grey.
        hidden = images - 0.5
        last = len(self.widths)
        for layer in range(last + 1):
            weight = parameters[f"synthesis.{layer}.weight"]
            bias = parameters[f"synthesis.{layer}.bias"]
            if weight.dim() == 2:
                hidden = conv2d(hidden, weight[:, :, None, None], bias)
            else:
                hidden = conv2d(hidden, weight, bias, padding=1)
            hidden = hidden.relu() if layer < last else hidden
        return hidden

    def analyse(self, images: NDArray[np.uint8], colours: NDArray[np.float64]) -> Coefficients:
        """Return the coefficients from which the 9/7 wavelet makes these images.

        Args:
            images: N × C × H × W, uint8.
            colours: C × C, orthonormal; column k is the direction of component k.
        """
        values = (images.astype(np.float64) + 0.5) / 256
        mean = values.mean(axis=(0, 2, 3))
        grid = np.einsum("ck,ncyx->nkyx", colours, values - mean[:, None, None])
        for level in range(self.num_levels):
            rows, columns = halved(self.height, level), halved(self.width, level)
            vertical = np.linalg.inv(_initial_matrix(rows))
            horizontal = np.linalg.inv(_initial_matrix(columns))
            grid[..., :rows, :columns] = vertical @ grid[..., :rows, :columns] @ horizontal.T
        places = _grid_places(self.planes, self.height, self.width)
        flat = grid.reshape(len(images), -1)[:, places]
        return Coefficients(flat.astype(np.float32), colours, mean)

    def exact(self, tensors: NetworkTensors) -> ExactWavelet:
        """Build the integer decoder of quantised tensors.

        Raises:
            FormatError: if its arithmetic cannot be proven exact.
        """
        return ExactWavelet(self, tensors)


@dataclass(frozen=True)
class Coefficients:
    """Pictures as an unquantised wavelet transform.

    Attributes:
        values: N × P, float32, in the order of the planes, for gains of 1.
        colours: C × C, directions of the colour components in columns.
        mean: per channel, in 0 … 1.
    """

    values: NDArray[np.float32]
    colours: NDArray[np.float64]
    mean: NDArray[np.float64]


def synthesis_matrix(taps: Tensor, size: int) -> Tensor:
    """Return the matrix that makes a line from its low half and then its high half, size × size."""
    import torch

    if size == 1:
        return torch.ones(1, 1, dtype=taps.dtype, device=taps.device)
    return torch.einsum("k,krc->rc", taps, torch.from_numpy(synthesis_basis(size)).to(taps))


def _initial_matrix(size: int) -> NDArray[np.float64]:
    if size == 1:
        return np.ones((1, 1))
    matrix: NDArray[np.float64] = np.einsum("k,krc->rc", np.array(CDF_TAPS), synthesis_basis(size))
    return matrix


@lru_cache(maxsize=16)
def _grid_places(planes: tuple[Plane, ...], height: int, width: int) -> NDArray[np.int64]:
    """Return where every latent lies in C × H × W, the low band of a level at its top left."""
    parts = []
    for plane in planes:
        y, x = np.divmod(np.arange(plane.size, dtype=np.int64), max(plane.columns, 1))
        if plane.band != BAND_LOW:
            if plane.band != BAND_HORIZONTAL:
                y = y + halved(height, plane.level + 1)
            if plane.band != BAND_VERTICAL:
                x = x + halved(width, plane.level + 1)
        parts.append((plane.colour * height + y) * width + x)
    return np.concatenate(parts)

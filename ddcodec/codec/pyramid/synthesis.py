"""Pyramid synthesis: latents → images by upsampling and a decoder network.

All levels are brought to full size by one learned ×2 kernel, applied again and again, and mixed by
hidden 1×1 layers with ReLU, a 1×1 layer to the image channels and two 3×3 layers with residual
connections (arXiv 2507.17221; Cool-chic). The kernel here is separable and symmetric: four taps,
where the paper's 8×8 kernel has 64. Training runs `render` in floating point, files are decoded by
`ExactPyramid` in integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from ddcodec.codec.parameters import NetworkTensors
from ddcodec.codec.pyramid.exact import ExactPyramid
from ddcodec.codec.pyramid.shape import PyramidShape, doubling_basis

if TYPE_CHECKING:
    from torch import Generator, Tensor

BICUBIC_TAPS = (-0.03515625, 0.26171875, 0.87890625, -0.10546875)
"""Cubic interpolation a quarter of a sample off; the learned kernel starts here."""


@dataclass(frozen=True)
class PyramidSynthesis(PyramidShape):
    """A pyramid decoder in float; attributes are those of its architecture."""

    def initial_parameters(self, generator: Generator) -> dict[str, Tensor]:
        """Return He-scaled random weights, bicubic taps and spatial layers that do nothing yet."""
        import torch

        parameters = {}
        for name, shape in self.tensor_shapes().items():
            if name == "upsampling.taps":
                parameters[name] = torch.tensor(BICUBIC_TAPS)
            elif name.endswith("bias") or "spatial" in name:
                parameters[name] = torch.zeros(shape)
            else:
                parameters[name] = torch.randn(shape, generator=generator) * sqrt(2 / shape[1])
        last = len(self.widths)
        parameters[f"synthesis.{last}.weight"] *= 0.1
        parameters[f"synthesis.{last}.bias"] += 0.5
        return parameters

    def render(self, parameters: dict[str, Tensor], latents: Tensor) -> Tensor:
        """Render images in floating point, differentiably.

        Args:
            parameters: tensors of `tensor_shapes`.
            latents: N × P, the levels of an image one after another, finest first.

        Returns:
            N × C × H × W; a decoded pixel is `floor(256 · value)`, clamped to 0 … 255.
        """
        from torch.nn.functional import conv2d

        from ddcodec.codec.dense_stack import dense_stack

        stack = self.upsample(parameters["upsampling.taps"], latents)
        count, levels, rows, columns = stack.shape
        hidden = stack.transpose(0, 1).reshape(levels, -1)
        dense = [
            parameters[f"synthesis.{layer}.{kind}"]
            for layer in range(len(self.widths) + 1)
            for kind in ("weight", "bias")
        ]
        hidden = dense_stack(hidden, dense)
        images = hidden.view(self.channels, count, rows, columns).transpose(0, 1)
        for layer in range(2):
            weight = parameters[f"synthesis.spatial{layer}.weight"]
            bias = parameters[f"synthesis.spatial{layer}.bias"]
            images = images + conv2d(images, weight, bias, padding=1)
            images = images.relu() if layer == 0 else images
        return images

    def upsample(self, taps: Tensor, latents: Tensor) -> Tensor:
        """Bring all levels to full size: N × L × H × W, channel i from level i.

        Doubling is linear along each axis, so a level needs two small matrix products.
        """
        import torch

        rows = self._interpolations(taps, self.height)
        columns = rows if self.width == self.height else self._interpolations(taps, self.width)
        parts = torch.split(latents, [plane.size for plane in self.planes], dim=1)
        levels = [
            part.view(-1, plane.rows, plane.columns)
            for part, plane in zip(parts, self.planes, strict=True)
        ]
        full = [levels[0]]
        for level in range(1, self.num_levels):
            full.append(rows[level] @ (levels[level] @ columns[level].t()))
        return torch.stack(full, 1)

    def _interpolations(self, taps: Tensor, size: int) -> list[Tensor]:
        """Return per level the matrix that brings one axis to full size, size × ceil(size/2^l)."""
        import torch

        matrices = [torch.eye(size, dtype=taps.dtype, device=taps.device)]
        for level in range(self.num_levels - 1):
            basis = torch.from_numpy(doubling_basis(-(-size >> level))).to(taps)
            matrices.append(matrices[-1] @ torch.einsum("k,krc->rc", taps, basis))
        return matrices

    def exact(self, tensors: NetworkTensors) -> ExactPyramid:
        """Build the integer network of quantised tensors.

        Raises:
            FormatError: if its arithmetic cannot be proven exact.
        """
        return ExactPyramid(self, tensors)

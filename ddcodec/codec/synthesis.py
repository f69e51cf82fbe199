"""Upsampling and decoder network: latents → images.

All levels are brought to full size by one learned ×2 kernel, applied again and again, and mixed by
hidden 1×1 layers with ReLU, a 1×1 layer to the image channels and two 3×3 layers with residual
connections (arXiv 2507.17221; Cool-chic). The kernel here is separable and symmetric: four taps,
where the paper's 8×8 kernel has 64. Training runs `render` in floating point, files are decoded by
`ExactSynthesis` in integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.context import dense_layer
from ddcodec.codec.parameters import NetworkTensors
from ddcodec.entropy.exact import (
    ACTIVATION_LIMIT,
    FRACTION_BITS,
    SYMBOL_INPUT_LIMIT,
    Floats,
    IntegerLayer,
    shift_and_clamp,
)
from ddcodec.errors import FormatError, RecipeError

if TYPE_CHECKING:
    from torch import Generator, Tensor

SYNTHESIS_ID = 1
NUM_TAPS = 4
BICUBIC_TAPS = (-0.03515625, 0.26171875, 0.87890625, -0.10546875)
"""Cubic interpolation a quarter of a sample off; the learned kernel starts here."""

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

CHUNK_PIXELS = 1 << 14
"""Pixels decoded together; the result does not depend on it."""

CHUNK_MACS = 1 << 18
"""Multiply-adds of one matrix product: its result stays in cache and is not worth a second thread,
whose start costs more than it gains. The result does not depend on it."""


def parse_widths(text: str) -> tuple[int, ...]:
    """Read a decoder given by name (`v3-2`) or by hidden widths (`240,40`).

    Raises:
        RecipeError: if it is neither.
    """
    if text in DECODERS:
        return DECODERS[text]
    try:
        widths = tuple(int(part) for part in text.strip("[] ").split(","))
    except ValueError:
        widths = ()
    if not 1 <= len(widths) <= 8 or not all(1 <= width <= 2048 for width in widths):
        raise RecipeError(
            f"'{text}' is no decoder; give hidden widths such as 160 or 240,40, or a name among "
            f"{', '.join(DECODERS)}."
        )
    return widths


@dataclass(frozen=True)
class Synthesis:
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

    def level_shape(self, level: int) -> tuple[int, int]:
        """Return rows and columns of a latent level, 0 the finest."""
        return -(-self.height >> level), -(-self.width >> level)

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

    def render(self, parameters: dict[str, Tensor], latents: list[Tensor]) -> Tensor:
        """Render images in floating point, differentiably.

        Args:
            parameters: tensors of `tensor_shapes`.
            latents: per level N × h × w, finest first.

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

    def upsample(self, taps: Tensor, latents: list[Tensor]) -> Tensor:
        """Bring all levels to full size: N × L × H × W, channel i from level i.

        Doubling is linear along each axis, so a level needs two small matrix products.
        """
        import torch

        rows = self._interpolations(taps, self.height)
        columns = rows if self.width == self.height else self._interpolations(taps, self.width)
        planes = [latents[0]]
        for level in range(1, self.num_levels):
            planes.append(rows[level] @ (latents[level] @ columns[level].t()))
        return torch.stack(planes, 1)

    def _interpolations(self, taps: Tensor, size: int) -> list[Tensor]:
        """Return per level the matrix that brings one axis to full size, size × ceil(size/2^l)."""
        import torch

        matrices = [torch.eye(size, dtype=taps.dtype, device=taps.device)]
        for level in range(self.num_levels - 1):
            basis = torch.from_numpy(_doubling_basis(-(-size >> level))).to(taps)
            matrices.append(matrices[-1] @ torch.einsum("k,krc->rc", taps, basis))
        return matrices

    def exact(self, tensors: NetworkTensors) -> ExactSynthesis:
        """Build the integer network of quantised tensors.

        Raises:
            FormatError: if its arithmetic cannot be proven exact.
        """
        return ExactSynthesis(self, tensors)


@lru_cache(maxsize=32)
def _doubling_basis(count: int) -> NDArray[np.float32]:
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


class ExactSynthesis:
    """Upsampler and decoder network in integers.

    Args:
        shape: the architecture.
        tensors: quantised tensors of `Synthesis.tensor_shapes`.

    Raises:
        FormatError: if the arithmetic cannot be proven exact.
    """

    def __init__(self, shape: Synthesis, tensors: NetworkTensors) -> None:
        self._shape = shape
        taps = tensors["upsampling.taps"]
        self._taps = [float(tap) for tap in taps.integers]
        self._taps_shift = taps.step_exponent
        if sum(abs(int(tap)) for tap in taps.integers) * SYMBOL_INPUT_LIMIT >= 1 << 53:
            raise FormatError(
                "The upsampling kernel exceeds exact arithmetic; the file is refused."
            )
        last = len(shape.widths)
        self._dense = [
            dense_layer(
                tensors[f"synthesis.{layer}.weight"],
                tensors[f"synthesis.{layer}.bias"],
                residual=False,
                low=0 if layer < last else -ACTIVATION_LIMIT,
            )
            for layer in range(last + 1)
        ]
        self._largest_product = max(layer.weight.size for layer in self._dense)
        self._spatial = [self._spatial_layer(tensors, layer) for layer in range(2)]
        for layer in [*self._dense, *self._spatial]:
            layer.check_exact(ACTIVATION_LIMIT)

    def _spatial_layer(self, tensors: NetworkTensors, index: int) -> IntegerLayer:
        """Return a 3×3 layer as a dense one over (row, column, channel) of the neighbourhood."""
        weight = tensors[f"synthesis.spatial{index}.weight"]
        channels = self._shape.channels
        kernel = weight.integers.copy()
        kernel[np.arange(channels), np.arange(channels), 1, 1] += 1 << weight.step_exponent
        flat = type(weight)(
            kernel.transpose(0, 2, 3, 1).reshape(channels, -1), weight.step_exponent
        )
        dense = dense_layer(flat, tensors[f"synthesis.spatial{index}.bias"], residual=False)
        if index == 0:
            return dense
        # Pixels are floor(256 · value): eight of the fraction bits stay.
        shift = dense.shift + FRACTION_BITS - 8
        return IntegerLayer(dense.weight, dense.bias, shift, low=0, high=255)

    def decode(self, latents: list[NDArray[np.int16]]) -> NDArray[np.uint8]:
        """Return images, N × C × H × W uint8, of latents given per level as N × h × w int16."""
        shape = self._shape
        count = len(latents[0])
        images = np.empty((count, shape.channels, shape.height, shape.width), dtype=np.uint8)
        step = max(1, CHUNK_PIXELS // (shape.height * shape.width))
        for start in range(0, count, step):
            part = slice(start, start + step)
            images[part] = self._decode_chunk([level[part] for level in latents])
        return images

    def _decode_chunk(self, latents: list[NDArray[np.int16]]) -> NDArray[np.uint8]:
        shape = self._shape
        stack = self._upsample(latents)
        count = stack.shape[1]
        hidden = stack.reshape(shape.num_levels, -1)
        values = _in_columns(self._run_dense, hidden, self._largest_product)
        for layer in self._spatial:
            values = values.reshape(shape.channels, count, shape.height, shape.width)
            surroundings = _neighbourhoods(values)
            values = _in_columns(layer, surroundings, layer.weight.size)
        pixels = values.reshape(shape.channels, count, shape.height, shape.width)
        return pixels.transpose(1, 0, 2, 3).astype(np.uint8)

    def _run_dense(self, hidden: Floats) -> Floats:
        for layer in self._dense:
            hidden = layer(hidden)
        return hidden

    def _upsample(self, latents: list[NDArray[np.int16]]) -> Floats:
        """Return all levels at full size as activations: L × N × H × W."""
        scale = float(1 << FRACTION_BITS)
        stack = latents[-1][None].astype(np.float64) * scale
        for level in range(self._shape.num_levels - 2, -1, -1):
            rows, columns = self._shape.level_shape(level)
            stack = self._double(stack, 2, rows)
            stack = self._double(stack, 3, columns)
            own = latents[level][None].astype(np.float64) * scale
            stack = np.concatenate([own, stack])
        return stack

    def _double(self, stack: Floats, axis: int, count: int) -> Floats:
        size = stack.shape[axis]
        margins = [(2, 2) if dim == axis else (0, 0) for dim in range(4)]
        padded = np.moveaxis(np.pad(stack, margins, mode="edge"), axis, -1)
        parts = [padded[..., offset : offset + size] for offset in range(5)]
        doubled = np.empty((*parts[0].shape[:-1], 2 * size))
        for phase in range(2):
            taps = self._taps if phase == 0 else self._taps[::-1]
            total = parts[phase] * taps[0]
            for tap, part in zip(taps[1:], parts[phase + 1 : phase + 4], strict=True):
                total += tap * part
            doubled[..., phase::2] = total
        shift_and_clamp(doubled, self._taps_shift, -ACTIVATION_LIMIT, ACTIVATION_LIMIT - 1)
        return np.moveaxis(doubled, -1, axis).take(range(count), axis=axis)


def _in_columns(layer: Callable[[Floats], Floats], inputs: Floats, macs_per_column: int) -> Floats:
    """Apply a layer to a few columns at a time."""
    step = max(64, CHUNK_MACS // macs_per_column)
    parts = [layer(inputs[:, at : at + step]) for at in range(0, inputs.shape[1], step)]
    return np.concatenate(parts, axis=1)


def _neighbourhoods(values: Floats) -> Floats:
    """Return the 3×3 surroundings of every pixel, zeros outside: (9 · C) × pixels."""
    channels, _, rows, columns = values.shape
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1), (1, 1)))
    parts = [padded[:, :, dy : dy + rows, dx : dx + columns] for dy in range(3) for dx in range(3)]
    return np.stack(parts).reshape(9 * channels, -1)

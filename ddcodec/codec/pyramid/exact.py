"""The pyramid decoder in integers: the same pixels on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.layers import dense_layer, pixel_layer
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.codec.pyramid.shape import PyramidShape
from ddcodec.codec.surroundings import (
    Latents,
    in_chunks,
    in_columns,
    kernel_matrix,
    neighbourhoods,
)
from ddcodec.entropy.exact import (
    ACTIVATION_LIMIT,
    FRACTION_BITS,
    SYMBOL_INPUT_LIMIT,
    Floats,
    IntegerLayer,
    shift_and_clamp,
)
from ddcodec.errors import FormatError


class ExactPyramid:
    """Upsampler and decoder network in integers.

    Args:
        shape: the architecture.
        tensors: quantised tensors of `PyramidShape.tensor_shapes`.

    Raises:
        FormatError: if the arithmetic cannot be proven exact.
    """

    def __init__(self, shape: PyramidShape, tensors: NetworkTensors) -> None:
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
        flat = QuantizedTensor(kernel_matrix(kernel), weight.step_exponent)
        dense = dense_layer(flat, tensors[f"synthesis.spatial{index}.bias"], residual=False)
        return dense if index == 0 else pixel_layer(dense)

    def decode(self, latents: Latents) -> NDArray[np.uint8]:
        """Return images, N × C × H × W uint8, of latents given per level as N × h × w int16."""
        shape = self._shape
        image_shape = (shape.channels, shape.height, shape.width)
        return in_chunks(self._decode_chunk, latents, image_shape)

    def _decode_chunk(self, latents: Latents) -> NDArray[np.uint8]:
        shape = self._shape
        stack = self._upsample(latents)
        count = stack.shape[1]
        hidden = stack.reshape(shape.num_levels, -1)
        values = in_columns(self._run_dense, hidden, self._largest_product)
        for layer in self._spatial:
            values = values.reshape(shape.channels, count, shape.height, shape.width)
            surroundings = neighbourhoods(values)
            values = in_columns(layer, surroundings, layer.weight.size)
        pixels = values.reshape(shape.channels, count, shape.height, shape.width)
        return pixels.transpose(1, 0, 2, 3).astype(np.uint8)

    def _run_dense(self, hidden: Floats) -> Floats:
        for layer in self._dense:
            hidden = layer(hidden)
        return hidden

    def _upsample(self, latents: Latents) -> Floats:
        """Return all levels at full size as activations: L × N × H × W."""
        scale = float(1 << FRACTION_BITS)
        stack = latents[-1][None].astype(np.float64) * scale
        for level in range(self._shape.num_levels - 2, -1, -1):
            plane = self._shape.planes[level]
            stack = self._double(stack, 2, plane.rows)
            stack = self._double(stack, 3, plane.columns)
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

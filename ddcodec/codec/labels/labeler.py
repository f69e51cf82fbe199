"""The labeler in integers: the same labels for the same uint8 images on every machine.

A small convolutional network in the file. Each layer multiplies integer weights with activations,
takes the maximum of 2×2 sums where it pools, applies a gain and a bias to each channel, adds an
earlier output where it skips, and ends in ReLU. What a gain and a bias do is what batch
normalisation does once it has been trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.codec.surroundings import in_columns, kernel_matrix, neighbourhoods
from ddcodec.entropy.exact import (
    ACTIVATION_LIMIT,
    FRACTION_BITS,
    Floats,
    shift_and_clamp,
)
from ddcodec.errors import FormatError
from ddcodec.format.labeler_layers import LabelerLayer, LabelerShape

PIXEL_ZERO = 128
"""The pixel that is 0 as an activation, as the zeros around an image are."""

PIXEL_UNIT = 1 << 5
"""Activation of a pixel one above: 128 grey levels are 1."""

_EXACT_LIMIT = 1 << 53


@dataclass(frozen=True)
class _Affine:
    """Weights, gains and biases of a layer, carried in float64, with the bits to drop at the end.

    Attributes:
        weight: outputs × inputs.
        gain: outputs × 1.
        bias: outputs × 1, in units of the product.
        shift: bits dropped from the product.
    """

    weight: Floats
    gain: Floats
    bias: Floats
    shift: int

    def sums(self, inputs: Floats) -> Floats:
        """Return the plain sums, outputs × n."""
        return self.weight @ inputs

    def finish(self, sums: Floats) -> Floats:
        """Return activations of sums, not clamped yet."""
        values = sums * self.gain
        values += self.bias
        values *= 2.0**-self.shift
        floored: Floats = np.floor(values, out=values)
        return floored


class ExactLabeler:
    """A labeler in integers.

    Args:
        shape: the architecture.
        tensors: quantised tensors of `LabelerShape.tensor_shapes`.

    Raises:
        FormatError: if the arithmetic cannot be proven exact.
    """

    def __init__(self, shape: LabelerShape, tensors: NetworkTensors) -> None:
        self._shape = shape
        names = [*map(str, range(len(shape.layers))), "out"]
        self._affines = [_affine(tensors, name) for name in names]

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return logits N × classes in 1/4096 for uint8 images N × C × H × W."""
        found = np.empty((len(images), self._shape.num_classes), dtype=np.int64)
        for number, image in enumerate(images):
            found[number] = self._logits(image)
        return found

    def _logits(self, image: NDArray[np.uint8]) -> NDArray[np.int64]:
        values = (image.astype(np.float64) - PIXEL_ZERO)[:, None] * PIXEL_UNIT
        outputs: list[Floats] = []
        for layer, affine in zip(self._shape.layers, self._affines, strict=False):
            values = _convolve(layer, affine, values)
            if layer.skip:
                values += outputs[-layer.skip]
            np.clip(values, 0, ACTIVATION_LIMIT - 1, out=values)
            outputs.append(values)
        # At most 2^18 positions of activations below 2^27: both sum and quotient are exact.
        positions = values.shape[2] * values.shape[3]
        means = values.sum(axis=(2, 3)).astype(np.int64) // positions
        last = self._affines[-1]
        logits = last.finish(last.sums(means.astype(np.float64)))
        limited = shift_and_clamp(logits, 0, -ACTIVATION_LIMIT, ACTIVATION_LIMIT - 1)
        return limited[:, 0].astype(np.int64)


def _convolve(layer: LabelerLayer, affine: _Affine, values: Floats) -> Floats:
    _, count, rows, columns = values.shape
    inputs = neighbourhoods(values, layer.kernel)
    sums = in_columns(affine.sums, inputs, affine.weight.size)
    sums = sums.reshape(layer.channels, count, rows, columns)
    if layer.pooled:
        # A last odd row or column is left out.
        even = sums[:, :, : rows // 2 * 2, : columns // 2 * 2]
        sums = reduce(np.maximum, [even[:, :, y::2, x::2] for y in (0, 1) for x in (0, 1)])
    return affine.finish(sums.reshape(layer.channels, -1)).reshape(sums.shape)


def _affine(tensors: NetworkTensors, name: str) -> _Affine:
    """Return a layer whose sums and products are proven to be exact.

    Raises:
        FormatError: if they are not.
    """
    weight, gain, bias = (tensors[f"labeler.{name}.{part}"] for part in ("weight", "gain", "bias"))
    matrix = weight.integers if weight.integers.ndim == 2 else kernel_matrix(weight.integers)
    shift = weight.step_exponent + gain.step_exponent
    lift = FRACTION_BITS + shift - bias.step_exponent
    _prove_exact(matrix, gain, bias, lift)
    return _Affine(
        matrix.astype(np.float64),
        gain.integers.astype(np.float64)[:, None],
        bias.integers.astype(np.float64)[:, None] * 2.0**lift,
        shift,
    )


def _prove_exact(
    matrix: NDArray[np.int64], gain: QuantizedTensor, bias: QuantizedTensor, lift: int
) -> None:
    # Weights of a file are below 2^31 and a row has at most 25 · 2^10 of them: int64 holds the sum.
    magnitudes = np.abs(matrix).sum(axis=1).tolist()
    numbers = zip(magnitudes, gain.integers.tolist(), bias.integers.tolist(), strict=True)
    for magnitude, factor, offset in numbers:
        sums = magnitude * ACTIVATION_LIMIT
        product = sums * max(1, abs(factor)) + (abs(offset) << lift)
        if product >= _EXACT_LIMIT:
            raise FormatError("The labeler exceeds exact arithmetic; the file is refused.")

"""Integer layers of quantised weights and biases."""

from __future__ import annotations

import numpy as np

from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.entropy.exact import FRACTION_BITS, Floats, IntegerLayer
from ddcodec.errors import FormatError


def dense_layer(
    weight: QuantizedTensor, bias: QuantizedTensor, residual: bool, low: int = 0
) -> IntegerLayer:
    """Turn quantised weights into an integer layer followed by ReLU (`low` = 0) or a clamp.

    A residual connection is the identity added to the weights.

    Raises:
        FormatError: if the bias is finer than the accumulator.
    """
    matrix = weight.integers.astype(np.float64)
    if residual:
        matrix = matrix + np.eye(len(matrix)) * 2.0**weight.step_exponent
    return IntegerLayer(
        matrix, aligned_bias(bias, weight.step_exponent), shift=weight.step_exponent, low=low
    )


def aligned_bias(bias: QuantizedTensor, weight_exponent: int) -> Floats:
    """Return biases in units of the sums of a layer, out × 1.

    Raises:
        FormatError: if they are finer than these, or too large to be exact.
    """
    lift = FRACTION_BITS + weight_exponent - bias.step_exponent
    if lift < 0 or (bias.integers.size and int(np.abs(bias.integers).max()) << lift >= 1 << 52):
        raise FormatError("A bias does not fit exact arithmetic; the file is refused.")
    aligned: Floats = bias.integers.astype(np.float64)[:, None] * 2.0**lift
    return aligned


def pixel_layer(layer: IntegerLayer) -> IntegerLayer:
    """Return a layer whose outputs are pixels, floor(256 · value): 8 fraction bits stay."""
    shift = layer.shift + FRACTION_BITS - 8
    return IntegerLayer(layer.weight, layer.bias, shift, low=0, high=255)

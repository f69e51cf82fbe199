"""The context network in integers: what a file is written and read with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.layers import aligned_bias, dense_layer
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.entropy import tables
from ddcodec.entropy.exact import (
    ACTIVATION_LIMIT,
    FRACTION_BITS,
    SYMBOL_INPUT_LIMIT,
    Carried,
    IntegerLayer,
)
from ddcodec.entropy.laplace import SYMBOL_LIMIT
from ddcodec.entropy.rooms import Rooms

LOC_LIMIT = SYMBOL_LIMIT * tables.MEAN_STEPS
"""Largest magnitude of a location, in 1/16."""

Symbols = NDArray[np.signedinteger]

_UNITS = np.array([[tables.MEAN_STEPS], [tables.SCALES_PER_OCTAVE]]) * 2.0**-FRACTION_BITS
_ROUNDED = np.array([[0.5], [0.5 + tables.UNIT_SCALE_INDEX]])
_LOWEST = np.array([[-LOC_LIMIT], [0]], dtype=np.float64)
_HIGHEST = np.array([[LOC_LIMIT], [tables.NUM_SCALES - 1]], dtype=np.float64)


class ExactContext:
    """A context network in integers.

    Args:
        tensors: quantised tensors of `ContextModel.tensor_shapes`.
        depth: hidden layers.
        num_planes: latent planes.

    Raises:
        FormatError: if its arithmetic cannot be proven exact.
    """

    def __init__(self, tensors: NetworkTensors, depth: int, num_planes: int) -> None:
        self._layers = [
            dense_layer(tensors[f"context.{layer}.weight"], tensors[f"context.{layer}.bias"], True)
            for layer in range(depth)
        ]
        for index, layer in enumerate(self._layers):
            layer.check_exact(SYMBOL_INPUT_LIMIT if index == 0 else ACTIVATION_LIMIT)
        self._layers[0] = _of_symbols(self._layers[0], tensors["context.0.bias"].step_exponent)
        weight, bias = tensors["context.out.weight"], tensors["context.out.bias"]
        self._heads = [_head(weight, bias, plane) for plane in range(num_planes)]

    def predict(
        self, symbols: Symbols, largest: int, plane: int, rooms: Rooms, chunk: int
    ) -> NDArray[np.int64]:
        """Return locations in 1/16 and scale indices, 2 × n.

        Args:
            symbols: what is known of the surroundings of n latents, width × n.
            largest: magnitude that none of them exceeds.
            plane: number of the plane of the latents.
            rooms: for what lies between.
            chunk: what n never exceeds.
        """
        single = largest <= self._layers[0].single_limit
        values = _room(0, single, symbols.shape, rooms, chunk)
        values[:-1] = symbols
        reach = float(largest)
        for number, layer in enumerate(self._layers, 1):
            if reach > layer.single_limit:
                values = values.astype(np.float64, copy=False)
            single = values.dtype == np.float32
            outputs = _room(number % 2, single, symbols.shape, rooms, chunk)
            hidden = outputs[:-1]
            np.matmul(layer.affine_single if single else layer.affine, values, out=hidden)
            np.floor(hidden, out=hidden)
            # Zeros as an array are several times as fast as the number 0.
            np.maximum(hidden, np.zeros(hidden.shape[1], hidden.dtype), out=hidden)
            values, reach = outputs, float(hidden.max())
            if reach > layer.high:
                values = values.astype(np.float64, copy=False)
                np.minimum(values, layer.high, out=values)
                reach = layer.high
        head = self._heads[plane]
        if reach > head.single_limit:
            values = values.astype(np.float64, copy=False)
        matrix = head.affine_single if values.dtype == np.float32 else head.affine
        outputs = (matrix @ values) * _UNITS
        # A sum too large for the half to be added exactly lies beyond the clamp anyway.
        outputs += _ROUNDED
        np.floor(outputs, out=outputs)
        np.clip(outputs, _LOWEST, _HIGHEST, out=outputs)
        return outputs.astype(np.int64)


def _room(side: int, single: bool, shape: tuple[int, ...], rooms: Rooms, chunk: int) -> Carried:
    """Return room for width × n and a row of ones below."""
    width, columns = shape
    dtype = np.float32 if single else np.float64
    flat = rooms((side, single), ((width + 1) * chunk,), dtype)
    room: Carried = flat[: (width + 1) * columns].reshape(width + 1, columns)
    room[-1] = 1
    return room


def _of_symbols(layer: IntegerLayer, bias_exponent: int) -> IntegerLayer:
    """Return the first layer for symbols as they are, in the largest units that sums come in."""
    unit_bits = min(FRACTION_BITS, FRACTION_BITS + layer.shift - bias_exponent)
    return IntegerLayer(
        layer.weight * 2.0 ** (FRACTION_BITS - unit_bits),
        layer.bias * 2.0**-unit_bits,
        layer.shift - unit_bits,
        low=0,
    )


def _head(weight: QuantizedTensor, bias: QuantizedTensor, plane: int) -> IntegerLayer:
    """Return the last layer of one plane; its outputs are rounded where they are used.

    Raises:
        FormatError: if its arithmetic cannot be proven exact.
    """
    row = QuantizedTensor(bias.integers[plane], bias.step_exponent)
    exponent = weight.step_exponent
    head = IntegerLayer(weight.integers.astype(np.float64), aligned_bias(row, exponent), exponent)
    head.check_exact(ACTIVATION_LIMIT)
    return head

"""The refinement in integers: convolutions over a line of pixels, a few thousand at a time."""

from __future__ import annotations

import numpy as np

from ddcodec.codec.layers import dense_layer, pixel_layer
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.codec.raster import SIDE, Raster
from ddcodec.codec.surroundings import kernel_matrix, product
from ddcodec.entropy.exact import (
    ACTIVATION_LIMIT,
    FRACTION_BITS,
    Carried,
    Floats,
    IntegerLayer,
    carrier,
)
from ddcodec.entropy.rooms import Rooms

CHUNK_VALUES = 1 << 17
"""Inputs, or outputs, of a layer that are worked on at once, unless a line of pixels has more; they
stay in cache. No pixel depends on it."""

_HALF = float(1 << FRACTION_BITS - 1)
_PIXEL_UNIT = 2.0 ** (8 - FRACTION_BITS)


class ExactRefinement:
    """The layers that refine an image.

    Args:
        tensors: quantised tensors `synthesis.0…`, three at least.
        widths: hidden widths, one at least.

    Raises:
        FormatError: if the arithmetic cannot be proven exact.
    """

    def __init__(self, tensors: NetworkTensors, widths: tuple[int, ...]) -> None:
        self._hidden = [_layer(tensors, index) for index in range(len(widths))]
        weight = tensors[f"synthesis.{len(widths)}.weight"]
        bias = tensors[f"synthesis.{len(widths)}.bias"]
        channels, width = weight.integers.shape[:2]
        # The image itself is a further input of the last layer, which adds it.
        matrix = kernel_matrix(weight.integers)
        identity = np.eye(channels, dtype=np.int64) << weight.step_exponent
        with_image = QuantizedTensor(
            np.concatenate([matrix, identity], axis=1), weight.step_exponent
        )
        self._last = pixel_layer(dense_layer(with_image, bias, False))
        for layer in [*self._hidden, self._last]:
            layer.check_exact(ACTIVATION_LIMIT)
        # What each input has for its neighbours: the first row adds to the next row's next column.
        kernel = weight.integers.transpose(2, 3, 0, 1).reshape(-1, width)
        self._spread = kernel.astype(np.float64) * 2.0**-self._last.shift
        self._widest = max(SIDE**2 * channels, *widths)

    def __call__(self, images: Floats, raster: Raster, rooms: Rooms) -> Carried:
        """Return pixels, not rounded down nor clamped, of unrefined images, C × length.

        What stands behind the columns of an image has no meaning.
        """
        carriers, unclamped = self._carriers(np.maximum(images.max(axis=1), -images.min(axis=1)))
        inputs = self._inputs(images, raster, carriers[0], rooms)
        sums: Carried = rooms(("sums", carriers[-1]), inputs.shape, carriers[-1])
        refined: Carried = raster.inside(sums)
        np.multiply(images, _PIXEL_UNIT, out=refined, casting="same_kind")
        refined += self._last.affine[:, -1:].astype(sums.dtype)
        step = max(1, CHUNK_VALUES // self._widest // raster.line) * raster.line
        for start in range(0, raster.length, step):
            count = min(step, raster.length - start)
            values = self._surroundings(inputs, raster, slice(start, start + count), rooms)
            for index, target in enumerate(carriers[1:]):
                values = self._run(index, values, target, unclamped[index], rooms)
            raster.clear(values[:-1])
            given: Carried = rooms(("given", count), (len(self._spread), count), carriers[-1])
            product(self._spread.astype(carriers[-1]), values[:-1], given)
            raster.spread(given, sums, start)
        return refined

    def _inputs(
        self, images: Floats, raster: Raster, target: type[np.floating], rooms: Rooms
    ) -> Carried:
        """Return what the first layer sees, C × padded: images with mid-grey as 0."""
        inputs: Carried = rooms(("inputs", target), (len(images), raster.padded), target)
        inner = raster.inside(inputs)
        np.subtract(images, _HALF, out=inner, casting="same_kind")
        if images.min() < _HALF - ACTIVATION_LIMIT:
            np.maximum(inner, -ACTIVATION_LIMIT, out=inner)
        raster.clear(inner)
        return inputs

    def _surroundings(self, inputs: Carried, raster: Raster, part: slice, rooms: Rooms) -> Carried:
        """Return the surroundings of some places, (9 · C) × n, and a row of ones."""
        seen = raster.surroundings(inputs, part.start, part.stop - part.start)
        size = SIDE**2 * len(inputs)
        values: Carried = rooms(("seen", seen.shape), (size + 1, seen.shape[-1]), seen.dtype)
        values[:-1].reshape(seen.shape)[...] = seen
        values[-1] = 1
        return values

    def _run(
        self, index: int, values: Carried, target: type[np.floating], unclamped: bool, rooms: Rooms
    ) -> Carried:
        """Return the outputs of a hidden layer, and a row of ones, carried by another float."""
        layer = self._hidden[index]
        matrix = layer.affine_single if values.dtype == np.float32 else layer.affine
        shape = (len(matrix) + 1, values.shape[1])
        outputs: Carried = rooms((index, shape, values.dtype), shape, values.dtype)
        product(matrix, values, outputs[:-1])
        rounded: Carried = rooms((index, shape, np.dtype(target)), shape, target)
        np.floor(outputs[:-1], out=rounded[:-1], casting="same_kind")
        if unclamped:
            # Zeros as an array are several times as fast as the number 0.
            np.maximum(rounded[:-1], np.zeros(shape[1], target), out=rounded[:-1])
        else:
            np.clip(rounded[:-1], 0, ACTIVATION_LIMIT - 1, out=rounded[:-1])
        rounded[-1] = 1
        return rounded

    def _carriers(self, limits: Floats) -> tuple[list[type[np.floating]], list[bool]]:
        """Return the float that carries each layer, and which hidden ones need no upper clamp.

        Args:
            limits: largest magnitude of each channel of the unrefined images.
        """
        carriers: list[type[np.floating]] = []
        unclamped: list[bool] = []
        seen = np.tile(np.minimum(limits + _HALF, ACTIVATION_LIMIT), SIDE**2)
        for layer in self._hidden:
            carriers.append(carrier(layer.largest_sums(seen).max()))
            seen = layer.largest_outputs(seen)
            unclamped.append(bool(seen.max() < layer.high))
        seen = np.concatenate([np.tile(seen, SIDE**2), limits])
        carriers.append(carrier(self._last.largest_sums(seen).max()))
        return carriers, unclamped


def _layer(tensors: NetworkTensors, index: int) -> IntegerLayer:
    """Return a hidden layer over (row, column, channel) of the surroundings, or over channels."""
    weight, bias = tensors[f"synthesis.{index}.weight"], tensors[f"synthesis.{index}.bias"]
    matrix = weight.integers
    if matrix.ndim == 4:
        matrix = kernel_matrix(matrix)
    return dense_layer(QuantizedTensor(matrix, weight.step_exponent), bias, False)

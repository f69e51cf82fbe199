"""The wavelet decoder in integers: the same pixels on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.context.context import dense_layer
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.codec.surroundings import (
    Latents,
    in_chunks,
    in_columns,
    kernel_matrix,
    neighbourhoods,
    pixel_layer,
)
from ddcodec.codec.wavelet.shape import NUM_TAPS, WaveletShape, synthesis_basis
from ddcodec.entropy.exact import (
    ACTIVATION_LIMIT,
    FRACTION_BITS,
    Floats,
    IntegerLayer,
    shift_and_clamp,
)
from ddcodec.entropy.laplace import SYMBOL_LIMIT
from ddcodec.errors import FormatError
from ddcodec.format.planes import BAND_HORIZONTAL, BAND_LOW, BAND_VERTICAL, halved

_EXACT_LIMIT = 1 << 53


class ExactWavelet:
    """A wavelet decoder in integers.

    Args:
        shape: the architecture.
        tensors: quantised tensors of `WaveletShape.tensor_shapes`.

    Raises:
        FormatError: if the arithmetic cannot be proven exact.
    """

    def __init__(self, shape: WaveletShape, tensors: NetworkTensors) -> None:
        self._shape = shape
        self._gains = _gains(tensors["transform.gains"])
        self._taps = tensors["transform.taps"]
        # Nine taps reach a sample, in whatever way the mirrored ends fold.
        if NUM_TAPS * int(np.abs(self._taps.integers).max()) * ACTIVATION_LIMIT >= _EXACT_LIMIT:
            raise FormatError("The transform exceeds exact arithmetic; the file is refused.")
        weight, bias = tensors["synthesis.colour.weight"], tensors["synthesis.colour.bias"]
        colour = dense_layer(weight, bias, False, low=-ACTIVATION_LIMIT)
        self._colour = colour if shape.widths else pixel_layer(colour)
        self._refinement = [
            self._refinement_layer(tensors, layer)
            for layer in range(len(shape.widths) + 1 if shape.widths else 0)
        ]
        for layer in [self._colour, *self._refinement]:
            layer.check_exact(ACTIVATION_LIMIT)

    def _refinement_layer(self, tensors: NetworkTensors, index: int) -> IntegerLayer:
        """Return a layer over (row, column, channel) of the neighbourhood, or over channels.

        The last one has the image itself as further inputs, which it adds.
        """
        weight = tensors[f"synthesis.{index}.weight"]
        bias = tensors[f"synthesis.{index}.bias"]
        matrix = weight.integers
        if matrix.ndim == 4:
            matrix = kernel_matrix(matrix)
        if index < len(self._shape.widths):
            return dense_layer(QuantizedTensor(matrix, weight.step_exponent), bias, False)
        identity = np.eye(len(matrix), dtype=np.int64) << weight.step_exponent
        matrix = np.concatenate([matrix, identity], axis=1)
        return pixel_layer(dense_layer(QuantizedTensor(matrix, weight.step_exponent), bias, False))

    def decode(self, latents: Latents) -> NDArray[np.uint8]:
        """Return images, N × C × H × W uint8, of latents given per plane as N × h × w.

        They are int16, or float64 multiples of 1/16.
        """
        shape = self._shape
        image_shape = (shape.channels, shape.height, shape.width)
        return in_chunks(self._decode_chunk, latents, image_shape)

    def _decode_chunk(self, latents: Latents) -> NDArray[np.uint8]:
        shape = self._shape
        components = self._inverse(latents)
        count = components.shape[1]
        size = (shape.channels, count, shape.height, shape.width)
        values = in_columns(self._colour, components.reshape(shape.channels, -1), shape.channels**2)
        if self._refinement:
            values = self._refine(values.reshape(size))
        return values.reshape(size).transpose(1, 0, 2, 3).astype(np.uint8)

    def _refine(self, images: Floats) -> Floats:
        """Return pixels, C × n, of unrefined images, C × N × H × W."""
        channels = len(images)
        half = float(1 << FRACTION_BITS - 1)
        hidden = np.clip(images - half, -ACTIVATION_LIMIT, ACTIVATION_LIMIT - 1)
        last = len(self._refinement) - 1
        for index, layer in enumerate(self._refinement):
            inputs = neighbourhoods(hidden) if index in (0, last) else _flat(hidden)
            if index == last:
                inputs = np.concatenate([inputs, images.reshape(channels, -1)])
            outputs = in_columns(layer, inputs, layer.weight.size)
            hidden = outputs.reshape(-1, *images.shape[1:])
        return _flat(hidden)

    def _inverse(self, latents: Latents) -> Floats:
        """Return the colour components as activations, C × N × H × W."""
        shape = self._shape
        planes = {
            (plane.level, plane.colour, plane.band): latents[number] * self._gains[gain]
            for number, (plane, gain) in enumerate(
                zip(shape.planes, shape.gain_of_plane, strict=True)
            )
        }
        for values in planes.values():
            if latents[0].dtype != np.int16:
                np.floor(values, out=values)
            np.clip(values, -ACTIVATION_LIMIT, ACTIVATION_LIMIT - 1, out=values)
        components = []
        for colour in range(shape.channels):
            low = planes[shape.num_levels, colour, BAND_LOW]
            for level in reversed(range(shape.num_levels)):
                bands = [planes.get((level, colour, band)) for band in (1, 2, 3)]
                low = self._join(low, bands, level)
            components.append(low)
        return np.stack(components)

    def _join(self, low: Floats, bands: list[Floats | None], level: int) -> Floats:
        """Put the four bands of a level together: first along columns, then along rows."""
        rows, columns = halved(self._shape.height, level), halved(self._shape.width, level)
        grid = np.zeros((len(low), rows, columns))
        low_rows, low_columns = low.shape[1:]
        grid[:, :low_rows, :low_columns] = low
        places = {
            BAND_HORIZONTAL: np.s_[:, :low_rows, low_columns:],
            BAND_VERTICAL: np.s_[:, low_rows:, :low_columns],
        }
        for band, values in enumerate(bands, 1):
            if values is not None:
                grid[places.get(band, np.s_[:, low_rows:, low_columns:])] = values
        if rows > 1:
            grid = self._floor(np.matmul(self._matrix(rows), grid))
        if columns > 1:
            grid = self._floor(np.matmul(grid, self._matrix(columns).T))
        return grid

    def _matrix(self, size: int) -> Floats:
        taps = self._taps.integers.astype(np.float64)
        matrix: Floats = np.einsum("k,krc->rc", taps, synthesis_basis(size))
        return matrix

    def _floor(self, values: Floats) -> Floats:
        shift = self._taps.step_exponent
        return shift_and_clamp(values, shift, -ACTIVATION_LIMIT, ACTIVATION_LIMIT - 1)


def _gains(tensor: QuantizedTensor) -> Floats:
    """Return gains in units of 2^−12.

    Raises:
        FormatError: if a latent times its gain is not exact.
    """
    gains: Floats = tensor.integers.astype(np.float64) * 2.0 ** (
        FRACTION_BITS - tensor.step_exponent
    )
    if np.abs(gains).max() * SYMBOL_LIMIT >= _EXACT_LIMIT:
        raise FormatError("A gain exceeds exact arithmetic; the file is refused.")
    return gains


def _flat(values: Floats) -> Floats:
    return values.reshape(len(values), -1)

"""The inverse transform in integers, of a few images at a time."""

from __future__ import annotations

import numpy as np

from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.codec.raster import Raster
from ddcodec.codec.surroundings import Latents
from ddcodec.codec.wavelet.join import Join
from ddcodec.codec.wavelet.shape import NUM_TAPS, WaveletShape
from ddcodec.entropy.exact import ACTIVATION_LIMIT, FRACTION_BITS, Floats
from ddcodec.entropy.laplace import SYMBOL_LIMIT
from ddcodec.entropy.rooms import Rooms
from ddcodec.errors import FormatError
from ddcodec.format.planes import BAND_DIAGONAL, BAND_HORIZONTAL, BAND_LOW, BAND_VERTICAL, halved

_EXACT_LIMIT = 1 << 53

_FIRST_PLACE = {BAND_HORIZONTAL: (0, 1), BAND_VERTICAL: (1, 0), BAND_DIAGONAL: (1, 1)}
"""Row and column of the first coefficient of a band where low and high ones lie in turns."""


class InverseTransform:
    """Gains and kernels of a wavelet decoder.

    Args:
        shape: the architecture.
        gains: quantised tensor `transform.gains`.
        taps: quantised tensor `transform.taps`.

    Raises:
        FormatError: if the arithmetic cannot be proven exact.
    """

    def __init__(self, shape: WaveletShape, gains: QuantizedTensor, taps: QuantizedTensor) -> None:
        self._shape = shape
        self._gains = _gains(gains)
        self._planes = {
            (plane.level, plane.colour, plane.band): (number, gain)
            for number, (plane, gain) in enumerate(
                zip(shape.planes, shape.gain_of_plane, strict=True)
            )
        }
        self._taps = taps
        # Nine taps reach a sample, in whatever way the mirrored ends fold.
        if NUM_TAPS * int(np.abs(taps.integers).max()) * ACTIVATION_LIMIT >= _EXACT_LIMIT:
            raise FormatError("The transform exceeds exact arithmetic; the file is refused.")
        self._joins: dict[tuple[int, bool], Join] = {}

    def __call__(self, latents: Latents, raster: Raster, components: Floats, rooms: Rooms) -> None:
        """Write the colour components as activations, C × length of the raster.

        Args:
            latents: per plane N × h × w, int16, or float64 multiples of 1/16.
            raster: of N images.
            components: what to write; the zeros behind the columns stay.
            rooms: for what lies between.
        """
        shape = self._shape
        for colour, component in enumerate(components):
            size = halved(shape.height, shape.num_levels), halved(shape.width, shape.num_levels)
            low = rooms("low", (size[0], raster.images, size[1]))
            self._scale(latents, (shape.num_levels, colour, BAND_LOW), low)
            for level in reversed(range(shape.num_levels)):
                columns = halved(shape.width, level)
                lines = halved(shape.height, level) * raster.images
                if level:
                    joined = rooms(("joined", level), (lines, columns))
                else:
                    joined = component.reshape(lines, raster.line)
                self._join_level(latents, (level, colour), low, joined, rooms)
                low = joined.reshape(-1, raster.images, joined.shape[1])

    def _join_level(
        self,
        latents: Latents,
        which: tuple[int, int],
        low: Floats,
        joined: Floats,
        rooms: Rooms,
    ) -> None:
        """Put the four bands of a level together: first along columns, then along rows.

        Args:
            latents: of all planes.
            which: level and component.
            low: rows × images × columns of the low band.
            joined: (rows · images) × columns or more of the result.
            rooms: for what lies between.
        """
        level, images = which[0], low.shape[1]
        rows, columns = halved(self._shape.height, level), halved(self._shape.width, level)
        only_low = (*which, BAND_HORIZONTAL) not in self._planes
        grid = low
        if not only_low:
            grid = rooms(("grid", level), (rows, images, columns))
            grid[::2, :, ::2] = low
            for band, (row, column) in _FIRST_PLACE.items():
                self._scale(latents, (*which, band), grid[row::2, :, column::2])
        limit = max(float(grid.max()), -float(grid.min()))
        if rows > 1:
            join = self._join(rows, only_low)
            half = rooms(("half", level, only_low), (rows, images * grid.shape[2]))
            join.columns(grid.reshape(len(grid), -1), half)
            limit = _round(half, limit * join.growth)
            grid = half
        lines = grid.reshape(rows * images, -1)
        if columns > 1:
            join = self._join(columns, only_low)
            join.rows(lines, joined)
            _round(joined, limit * join.growth)
        else:
            joined[:, :columns] = lines

    def _join(self, size: int, only_low: bool) -> Join:
        if (size, only_low) not in self._joins:
            self._joins[size, only_low] = Join(self._taps, size, only_low)
        return self._joins[size, only_low]

    def _scale(self, latents: Latents, which: tuple[int, int, int], scaled: Floats) -> None:
        """Write a plane times its gain, rows × images × columns."""
        number, gain = self._planes[which]
        symbols = latents[number]
        factor = self._gains[gain]
        np.multiply(symbols.transpose(1, 0, 2), factor, out=scaled, dtype=np.float64)
        if symbols.dtype != np.int16:
            np.floor(scaled, out=scaled)
        if abs(factor) * SYMBOL_LIMIT >= ACTIVATION_LIMIT:
            np.clip(scaled, -ACTIVATION_LIMIT, ACTIVATION_LIMIT - 1, out=scaled)


def _round(values: Floats, reach: float) -> float:
    """Round down and clamp, where values may reach beyond; return what they do not exceed."""
    np.floor(values, out=values)
    if reach + 1 < ACTIVATION_LIMIT:
        return reach + 1
    np.clip(values, -ACTIVATION_LIMIT, ACTIVATION_LIMIT - 1, out=values)
    return float(ACTIVATION_LIMIT)


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

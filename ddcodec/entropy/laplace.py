"""The Laplace model of integers: one class that estimates the rate and really codes.

A value v with location μ and scale b costs −log2 of the Laplace mass of [v − ½, v + ½]. Coding
rounds μ to 1/16 and b to 64 steps and uses the integer tables; values further than 15 from the
rounded location take the escape symbol, then the bit length of what is left, then its bits.
"""

from __future__ import annotations

from math import log, log2
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddcodec.entropy import tables
from ddcodec.entropy.range_coder import Coder, Integers
from ddcodec.errors import FormatError

if TYPE_CHECKING:
    from torch import Tensor

SYMBOL_LIMIT = 1 << 15
"""Coded integers lie in −2^15 … 2^15 − 1."""

NUM_BIT_LENGTHS = 18
"""Bit lengths of an escaped remainder: 0 … 17."""

SMALLEST_LOG2_SCALE = -tables.UNIT_SCALE_INDEX / tables.SCALES_PER_OCTAVE
LARGEST_LOG2_SCALE = (tables.NUM_SCALES - 1 - tables.UNIT_SCALE_INDEX) / tables.SCALES_PER_OCTAVE

_FLOOR = 2.0**-tables.PRECISION_BITS


class LaplaceModel:
    """Discretised Laplace distribution with escapes."""

    def rate_bits(self, values: Tensor, loc: Tensor, log2_scale: Tensor) -> Tensor:
        """Estimate the cost of `values` in bits, elementwise and differentiably.

        Args:
            values: integers, or their noisy stand-ins during training; any shape, float.
            loc: location, same shape.
            log2_scale: base-2 logarithm of the scale b, same shape; clamped to the coded range.
        """
        log2_scale = log2_scale.clamp(SMALLEST_LOG2_SCALE, LARGEST_LOG2_SCALE)
        inverse = (-log2_scale).exp2()
        distance = (values - loc).abs()
        nats = _negative_log_mass(distance, inverse)
        raw_bits = nats / log(2)
        kept = 1 - tables.NUM_SYMBOLS * _FLOOR
        bits = -((-raw_bits).exp2() * kept + _FLOOR).log2()
        escaped = (values - loc.round()).abs() > tables.LARGEST_RESIDUAL + 0.5
        if escaped.any():
            bits = bits.where(~escaped, _escaped_bits(values, loc, inverse))
        # The floor flattens the cost of outliers; the gradient keeps the slope that leads back.
        return raw_bits + (bits - raw_bits).detach()

    def code(
        self,
        coder: Coder,
        values: Integers | None,
        loc_sixteenths: Integers,
        scale_index: Integers,
    ) -> Integers:
        """Code one integer for each location; returns `values`, or what was read.

        Args:
            coder: encoder or decoder.
            values: int64 in −2^15 … 2^15 − 1 when encoding, else None.
            loc_sixteenths: location in 1/16, int64.
            scale_index: 0 … 63, int64.

        Raises:
            FormatError: if a decoded value leaves the range.
        """
        loc, rows = table_rows(loc_sixteenths, scale_index)
        indices = None
        if values is not None:
            indices = np.minimum(tables.residual_to_index(values - loc), tables.ESCAPE)
        indices = coder.table(indices, rows)
        (escaped,) = np.nonzero(indices == tables.ESCAPE)
        if len(escaped):
            rest = None
            if values is not None:
                residuals = values[escaped] - loc[escaped]
                rest = tables.residual_to_index(residuals) - tables.ESCAPE
            indices = indices.copy()
            indices[escaped] = tables.ESCAPE + _code_naturals(coder, rest, len(escaped))
        result = tables.index_to_residual(indices) + loc
        if len(result) and not (result.min() >= -SYMBOL_LIMIT and result.max() < SYMBOL_LIMIT):
            raise FormatError("The payload holds a value out of range; the file is damaged.")
        return result

    def escapes(self, values: Integers, loc_sixteenths: Integers) -> NDArray[np.bool_]:
        """Return which values lie beyond the tables, so that `code` writes an escape for them."""
        loc, _ = table_rows(loc_sixteenths, np.zeros_like(loc_sixteenths))
        escaped: NDArray[np.bool_] = np.abs(values - loc) > tables.LARGEST_RESIDUAL
        return escaped


def table_rows(loc_sixteenths: Integers, scale_index: Integers) -> tuple[Integers, Integers]:
    """Split locations into the nearest integer and the row of the table for the rest."""
    half = tables.MEAN_STEPS // 2
    shifted = loc_sixteenths + half
    loc = shifted >> 4
    return loc, scale_index * tables.MEAN_STEPS + (shifted & 15)


def _code_naturals(coder: Coder, values: Integers | None, count: int) -> Integers:
    """Code integers of 0 … 2^17 − 1: all bit lengths, then, length by length, the lower bits."""
    lengths = None if values is None else bit_lengths(values)
    lengths = coder.uniform(lengths, NUM_BIT_LENGTHS, count)
    result = (lengths > 0).astype(np.int64)
    for length in range(2, NUM_BIT_LENGTHS):
        (chosen,) = np.nonzero(lengths == length)
        top = 1 << length - 1
        rest = None if values is None else values[chosen] - top
        result[chosen] = top + coder.uniform(rest, top, len(chosen))
    return result


def bit_lengths(values: Integers) -> Integers:
    """Return the number of binary digits of each non-negative integer; 0 has none."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)


def escape_raw_bits(values: Integers) -> NDArray[np.float64]:
    """Return what follows the escape symbol in bits, for the integers beyond the table."""
    return log2(NUM_BIT_LENGTHS) + np.maximum(bit_lengths(values) - 1, 0).astype(np.float64)


def _escaped_bits(values: Tensor, loc: Tensor, inverse: Tensor) -> Tensor:
    """Return the cost of values as if all were escaped, from the continuous tail."""
    residual = (values.round() - loc.round()).abs()
    rest = (2 * residual - tables.ESCAPE).clamp(min=1)
    tail = (-(tables.LARGEST_RESIDUAL + 0.5) * inverse).exp() + _FLOOR
    return log2(NUM_BIT_LENGTHS) + rest.log2().floor() - tail.log2()


def _negative_log_mass(distance: Tensor, inverse: Tensor) -> Tensor:
    """Return −ln of the Laplace mass of an interval of length 1, stable far from the centre."""
    import torch

    inside = 1 - 0.5 * (
        (-(0.5 - distance).clamp(min=0) * inverse).exp() + (-(0.5 + distance) * inverse).exp()
    )
    near = -inside.clamp(min=1e-12).log()
    far = (distance - 0.5) * inverse - torch.log1p(-(-inverse).exp()) + log(2)
    return near.where(distance < 0.5, far)


def continuous_bits(values: Tensor, log2_scale: Tensor) -> Tensor:
    """Return −log2 of the zero-mean Laplace mass around each value, for a scale of any size."""
    return _negative_log_mass(values.abs(), (-log2_scale).exp2()) / log(2)


def log2_scale_of(scale_index: int) -> float:
    """Return log2 of the scale a table index stands for."""
    return (scale_index - tables.UNIT_SCALE_INDEX) / tables.SCALES_PER_OCTAVE


def nearest_scale_index(scale: float) -> int:
    """Return the table index nearest to a scale, 0 … 63."""
    exact = log2(max(scale, 1e-9)) * tables.SCALES_PER_OCTAVE + tables.UNIT_SCALE_INDEX
    return min(max(round(exact), 0), tables.NUM_SCALES - 1)

"""Network weights ⇄ integers: power-of-two steps, one Laplace table per tensor.

A tensor is coded as its step exponent, a shift and a scale index, then its integers: the bits above
the shift through the Laplace table of that scale, the bits below it raw. The high parts of a
shifted tensor are centred on −½, which the table's fraction expresses exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddcodec.entropy import tables
from ddcodec.entropy.laplace import SYMBOL_LIMIT, LaplaceModel, escape_raw_bits
from ddcodec.entropy.range_coder import Coder

if TYPE_CHECKING:
    from torch import Tensor

NUM_STEP_EXPONENTS = 13
"""Steps are 2^0 … 2^−12, the resolution of activations."""

NUM_SHIFTS = 16
VALUES_AT_ONCE = 1 << 16
DETAIL_BITS = float(np.log2(NUM_STEP_EXPONENTS * NUM_SHIFTS * tables.NUM_SCALES))
"""Cost of one tensor's step, shift and scale index in bits."""


@dataclass(frozen=True)
class QuantizedTensor:
    """Integer multiples of a power of two.

    Attributes:
        integers: int64, any shape.
        step_exponent: values are `integers · 2^−step_exponent`, 0 … 12.
    """

    integers: NDArray[np.int64]
    step_exponent: int

    @property
    def values(self) -> NDArray[np.float64]:
        """The represented numbers, float64."""
        return self.integers.astype(np.float64) * 2.0**-self.step_exponent


NetworkTensors = dict[str, QuantizedTensor]
"""All tensors of one network set by name."""


def quantize(values: NDArray[np.floating], step_exponent: int) -> QuantizedTensor:
    """Round an array to multiples of 2^−step_exponent."""
    scaled = np.rint(np.asarray(values, dtype=np.float64) * 2.0**step_exponent)
    return QuantizedTensor(scaled.astype(np.int64), step_exponent)


def code_tensor(
    coder: Coder, tensor: QuantizedTensor | None, shape: tuple[int, ...]
) -> QuantizedTensor:
    """Code one tensor; returns it, or what was read.

    Raises:
        FormatError: if decoded integers leave their range.
    """
    count = prod(shape)
    flat = None if tensor is None else tensor.integers.reshape(-1)
    exponent, shift, scale = _code_details(coder, tensor, flat)
    loc = np.full(count, -tables.MEAN_STEPS // 2 if shift else 0, dtype=np.int64)
    scales = np.full(count, scale, dtype=np.int64)
    model = LaplaceModel()
    high = model.code(coder, None if flat is None else flat >> shift, loc, scales)
    low = None if flat is None else flat & ((1 << shift) - 1)
    low = coder.uniform(low, 1 << shift, count)
    return QuantizedTensor(((high << shift) + low).reshape(shape), exponent)


def _code_details(
    coder: Coder,
    tensor: QuantizedTensor | None,
    flat: NDArray[np.int64] | None,
) -> tuple[int, int, int]:
    values: list[NDArray[np.int64] | None] = [None, None, None]
    if tensor is not None and flat is not None:
        shift, scale, _ = _cheapest_table(flat)
        values = [np.array([value]) for value in (tensor.step_exponent, shift, scale)]
    sizes = (NUM_STEP_EXPONENTS, NUM_SHIFTS, tables.NUM_SCALES)
    exponent, shift, scale = (
        int(coder.uniform(value, size, 1)[0]) for value, size in zip(values, sizes, strict=True)
    )
    return exponent, shift, scale


def coded_bits(tensor: QuantizedTensor) -> float:
    """Return what `code_tensor` will spend on a tensor, in bits, from the coder's own tables."""
    return DETAIL_BITS + _cheapest_table(tensor.integers.reshape(-1))[2]


def _cheapest_table(flat: NDArray[np.int64]) -> tuple[int, int, float]:
    """Return the shift, scale index and cost in bits that code these integers best."""
    bits = tables.laplace_bits().reshape(tables.NUM_SCALES, tables.MEAN_STEPS, tables.NUM_SYMBOLS)
    best = (0, 0, float("inf"))
    for shift in range(NUM_SHIFTS):
        high = flat >> shift
        index = tables.residual_to_index(high)
        if len(high) and not -SYMBOL_LIMIT <= high.min() <= high.max() < SYMBOL_LIMIT:
            continue
        histogram = np.bincount(np.minimum(index, tables.ESCAPE), minlength=tables.NUM_SYMBOLS)
        fraction = 0 if shift else tables.MEAN_STEPS // 2
        costs = bits[:, fraction] @ histogram
        rest = index[index >= tables.ESCAPE] - tables.ESCAPE
        costs += escape_raw_bits(rest).sum() + shift * len(flat)
        scale = int(costs.argmin())
        if costs[scale] < best[2]:
            best = (shift, scale, float(costs[scale]))
        if not np.any((high != 0) & (high != -1)):
            break
    return best


def estimate_rate_bits(tensor: Tensor, step_exponent: int) -> Tensor:
    """Estimate the cost of a float tensor at a step in bits, differentiably.

    Uses the continuous Laplace mass around the scaled values with the scale that fits them, never
    the coder's tables; the three details are counted exactly.
    """
    return rate_bits_at(tensor, step_exponent, fitting_log2_scale(tensor.detach(), step_exponent))


def rate_bits_at(tensor: Tensor, step_exponent: int, log2_scale: float) -> Tensor:
    """Estimate the cost at a scale that is known, in units of the step."""
    import torch

    from ddcodec.entropy.laplace import continuous_bits

    scaled = tensor.reshape(-1) * 2.0**step_exponent
    scale = torch.tensor(log2_scale, dtype=scaled.dtype, device=scaled.device)
    return continuous_bits(scaled, scale).sum() + DETAIL_BITS


def fitting_log2_scale(tensor: Tensor, step_exponent: int) -> float:
    """Return log2 of the scale, in units of the step, at which a tensor is cheapest."""
    import torch

    from ddcodec.entropy.laplace import continuous_bits

    scaled = tensor.reshape(-1) * 2.0**step_exponent
    log2_scales = torch.linspace(-5, 16, 169, dtype=scaled.dtype, device=scaled.device)
    # Small tensors at all scales at once; more values than that fall out of the cache.
    groups = torch.split(log2_scales[:, None], max(1, VALUES_AT_ONCE // max(1, len(scaled))))
    costs = torch.cat([continuous_bits(scaled, group).sum(1) for group in groups])
    return float(log2_scales[costs.argmin()])

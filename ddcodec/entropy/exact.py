"""Integer layers carried in floats: exact on every machine, at the speed of matrix products.

A float64 product of integer-valued matrices is exact while Σ|w| · max|x| + |b| < 2^53 holds for
every row, whatever the order of summation, thread count or instruction set. The bound is proven in
Python integers before a layer runs (design, section 3). Where what really comes in is so small that
the sum stays below 2^24, float32 is exact as well and twice as fast.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ddcodec.errors import FormatError

Floats = NDArray[np.float64]

Carried = NDArray[np.float64] | NDArray[np.float32]
"""Integers, or multiples of a power of two, in floats that hold them exactly."""

FRACTION_BITS = 12
"""Activations are integers that stand for multiples of 2^−12."""

ACTIVATION_LIMIT = 1 << 27
"""Activations are clamped to −2^27 … 2^27 − 1."""

SYMBOL_INPUT_LIMIT = 1 << 15 + FRACTION_BITS
"""Largest magnitude of a latent symbol as an activation."""

_EXACT_LIMIT = 1 << 53
_EXACT_LIMIT_SINGLE = 1 << 24


def carrier(bound: float) -> type[np.float64] | type[np.float32]:
    """Return the smallest float that carries integers of magnitudes up to `bound` < 2^53."""
    return np.float32 if bound < _EXACT_LIMIT_SINGLE else np.float64


@dataclass(frozen=True)
class IntegerLayer:
    """One dense layer: y = clamp(floor((W x + b) · 2^−shift), low, high).

    Attributes:
        weight: out × in, float64, integer values.
        bias: out × 1, float64, integer values in units of the accumulator.
        shift: bits dropped by the floor, ≥ 0.
        low, high: clamp of the result.
    """

    weight: Floats
    bias: Floats
    shift: int
    low: int = -ACTIVATION_LIMIT
    high: int = ACTIVATION_LIMIT - 1

    def check_exact(self, input_limit: int) -> None:
        """Prove that no sum can leave the integers of float64.

        Args:
            input_limit: largest magnitude of an input.

        Raises:
            FormatError: if the bound does not hold.
        """
        for row, bias in zip(self.weight, self.bias[:, 0], strict=True):
            bound = sum(abs(int(weight)) for weight in row) * input_limit + abs(int(bias))
            if bound >= _EXACT_LIMIT:
                raise FormatError(
                    "A network's weights exceed exact arithmetic; the file is refused."
                )

    def largest_sums(self, limits: Floats | float) -> Floats:
        """Return what |W x + b| and all its partial sums cannot exceed, for each output.

        The bounds themselves are exact below 2^53: all that is added up are natural numbers.

        Args:
            limits: largest magnitude of each input, or of all; natural numbers.
        """
        magnitudes = np.abs(self.weight)
        sums: Floats = (magnitudes * limits).sum(axis=1) + np.abs(self.bias[:, 0])
        return sums

    def largest_outputs(self, limits: Floats | float) -> Floats:
        """Return what the magnitude of each output cannot exceed; see `largest_sums`."""
        reached = np.ceil(self.largest_sums(limits) * 2.0**-self.shift)
        return np.minimum(reached, max(-self.low, self.high))

    @cached_property
    def single_limit(self) -> float:
        """Up to which magnitude of inputs float32 carries all sums; below 0 if none."""
        free = _EXACT_LIMIT_SINGLE - 1 - np.abs(self.bias[:, 0])
        magnitudes = np.abs(self.weight).sum(axis=1)
        return float(np.floor(free / np.maximum(magnitudes, 1)).min())

    @cached_property
    def affine(self) -> Floats:
        """Weights and, as a last column, biases, in units of the result: out × (in + 1).

        A product with inputs below which stands a row of ones is W x + b without its shift: a
        power of two moves no bit of a sum.
        """
        matrix: Floats = np.concatenate([self.weight, self.bias], axis=1) * 2.0**-self.shift
        return matrix

    @cached_property
    def affine_single(self) -> NDArray[np.float32]:
        """The same in float32, for inputs within `single_limit`."""
        return self.affine.astype(np.float32)

    def __call__(self, inputs: Floats) -> Floats:
        """Return the layer's outputs, out × n, for integer-valued inputs, in × n."""
        outputs = self.weight @ inputs
        outputs += self.bias
        return shift_and_clamp(outputs, self.shift, self.low, self.high)


def shift_and_clamp(values: Floats, shift: int, low: int, high: int) -> Floats:
    """Return clamp(floor(values · 2^−shift), low, high), in place."""
    if shift:
        values *= 2.0**-shift
        np.floor(values, out=values)
    return np.clip(values, low, high, out=values)

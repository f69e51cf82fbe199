"""Integer layers carried in float64: exact on every machine, at the speed of matrix products.

A float64 product of integer-valued matrices is exact while Σ|w| · max|x| + |b| < 2^53 holds for
every row, whatever the order of summation, thread count or instruction set. The bound is proven in
Python integers before a layer runs (design, section 3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddcodec.errors import FormatError

Floats = NDArray[np.float64]

FRACTION_BITS = 12
"""Activations are integers that stand for multiples of 2^−12."""

ACTIVATION_LIMIT = 1 << 27
"""Activations are clamped to −2^27 … 2^27 − 1."""

SYMBOL_INPUT_LIMIT = 1 << 15 + FRACTION_BITS
"""Largest magnitude of a latent symbol as an activation."""

_EXACT_LIMIT = 1 << 53


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

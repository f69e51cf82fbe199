"""Integer probability tables of the discretised Laplace distribution.

A table belongs to one of 64 scales b = 2^((k−40)/8) and one of 16 fractions of the mean. Its 32
entries are the frequencies, out of 2^24, of the residuals 0, −1, 1, −2, … , 15 and of the escape
symbol. Everything is computed by integer recurrences, so that no floating-point library can
disagree about a frequency (design, section 3).
"""

from functools import lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

PRECISION_BITS = 24
NUM_SCALES = 64
SCALES_PER_OCTAVE = 8
UNIT_SCALE_INDEX = 40
MEAN_STEPS = 16
NUM_SYMBOLS = 32
ESCAPE = NUM_SYMBOLS - 1
LARGEST_RESIDUAL = 15

_FRACTION_BITS = 64
_ONE = 1 << _FRACTION_BITS


def residual_to_index(residual: NDArray[np.int64]) -> NDArray[np.int64]:
    """Map residuals 0, −1, 1, −2, … to 0, 1, 2, 3, …; likely symbols come first."""
    return np.where(residual < 0, -2 * residual - 1, 2 * residual)


def index_to_residual(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Undo `residual_to_index`."""
    return np.where(index & 1, -(index + 1) // 2, index // 2)


def _decay(scale_index: int) -> int:
    """Return exp(−1/(16 b)) as a 64-bit fraction, by Taylor series over integers.

    1/(16 b) = 2^(1 − k/8) for b = 2^((k−40)/8).
    """
    octaves, eighths = divmod(scale_index, SCALES_PER_OCTAVE)
    # floor(2^(65 − eighths/8)): three integer square roots of 2^(520 − eighths).
    exponent = isqrt(isqrt(isqrt(1 << 8 * (_FRACTION_BITS + 1) - eighths))) >> octaves
    total, term, order = _ONE, _ONE, 0
    while term:
        order += 1
        term = (term * exponent >> _FRACTION_BITS) // order
        total += -term if order & 1 else term
    return total


def _decay_powers(scale_index: int) -> list[int]:
    """Return exp(−t/(16 b)) for t = 0 … 264 as 64-bit fractions."""
    rho = _decay(scale_index)
    powers = [_ONE]
    for _ in range(MEAN_STEPS * (LARGEST_RESIDUAL + 1) + MEAN_STEPS // 2):
        powers.append(powers[-1] * rho >> _FRACTION_BITS)
    return powers


def _frequencies(powers: list[int], fraction: int) -> list[int]:
    """Return the 32 frequencies of one table; they sum to 2^24."""

    def doubled_cdf(sixteenths: int) -> int:
        if sixteenths <= 0:
            return powers[-sixteenths]
        return 2 * _ONE - powers[sixteenths]

    half = MEAN_STEPS // 2
    offset = fraction - half
    masses = []
    for index in range(NUM_SYMBOLS - 1):
        residual = -(index + 1) // 2 if index & 1 else index // 2
        centre = MEAN_STEPS * residual - offset
        masses.append(doubled_cdf(centre + half) - doubled_cdf(centre - half))
    masses.append(2 * _ONE - sum(masses))
    free = (1 << PRECISION_BITS) - NUM_SYMBOLS
    frequencies = [1 + (mass * free >> _FRACTION_BITS + 1) for mass in masses]
    frequencies[0] += (1 << PRECISION_BITS) - sum(frequencies)
    return frequencies


@lru_cache(maxsize=1)
def laplace_frequencies() -> NDArray[np.int64]:
    """Return all tables, shape (64 · 16, 32), int64; row = 16 · scale index + fraction index."""
    rows = []
    for scale_index in range(NUM_SCALES):
        powers = _decay_powers(scale_index)
        rows += [_frequencies(powers, fraction) for fraction in range(MEAN_STEPS)]
    table = np.array(rows, dtype=np.int64)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=1)
def laplace_bits() -> NDArray[np.float64]:
    """Return the information content of every table entry in bits, shape (1024, 32)."""
    bits = PRECISION_BITS - np.log2(laplace_frequencies().astype(np.float64))
    bits.setflags(write=False)
    return bits

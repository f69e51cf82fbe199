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
    return 2 * residual ^ residual >> 63


def index_to_residual(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Undo `residual_to_index`."""
    return index >> 1 ^ -(index & 1)


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


def _frequencies(scale_index: int) -> NDArray[np.int64]:
    """Return the frequencies of all tables of a scale, 16 × 32; each sums to 2^24."""
    powers = _decay_powers(scale_index)
    # Twice the distribution function in steps of 1/16, from −264 to 264.
    doubled = powers[:0:-1] + [2 * _ONE - power for power in powers]
    # The mass of a residual is a difference over one step around its distance from the mean.
    free = (1 << PRECISION_BITS) - NUM_SYMBOLS
    masses = zip(doubled[MEAN_STEPS:], doubled, strict=False)
    scaled = [1 + ((above - below) * free >> _FRACTION_BITS + 1) for above, below in masses]
    half = MEAN_STEPS // 2
    offsets = np.arange(MEAN_STEPS)[:, None] - half
    residuals = index_to_residual(np.arange(NUM_SYMBOLS - 1))
    centres = MEAN_STEPS * residuals - offsets
    tables = np.empty((MEAN_STEPS, NUM_SYMBOLS), dtype=np.int64)
    tables[:, :-1] = np.array(scaled)[centres + len(scaled) // 2]
    # All masses but the escape's add up to one difference as well.
    for row, offset in enumerate(range(-half, half)):
        inside = doubled[len(doubled) - 1 - MEAN_STEPS - offset] - doubled[MEAN_STEPS - offset]
        tables[row, ESCAPE] = 1 + ((2 * _ONE - inside) * free >> _FRACTION_BITS + 1)
    tables[:, 0] += (1 << PRECISION_BITS) - tables.sum(axis=1)
    return tables


@lru_cache(maxsize=1)
def laplace_frequencies() -> NDArray[np.int64]:
    """Return all tables, shape (64 · 16, 32), int64; row = 16 · scale index + fraction index."""
    table = np.concatenate([_frequencies(scale_index) for scale_index in range(NUM_SCALES)])
    table.setflags(write=False)
    return table


@lru_cache(maxsize=1)
def laplace_bits() -> NDArray[np.float64]:
    """Return the information content of every table entry in bits, shape (1024, 32)."""
    bits = PRECISION_BITS - np.log2(laplace_frequencies().astype(np.float64))
    bits.setflags(write=False)
    return bits

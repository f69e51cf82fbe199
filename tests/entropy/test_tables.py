"""The integer tables of the Laplace distribution: pinned, and what they claim to be."""

import hashlib
from math import exp

import numpy as np
import pytest

from ddcodec.entropy import tables

_SHA256 = "c7048b3c37713d80d44a0f27f6efc22c94af4ebe2993519eba7e04537c549185"


def test_pinned_bytes() -> None:
    """The tables of version 1 never change."""
    data = tables.laplace_frequencies().astype("<u4").tobytes()
    assert len(data) == 1024 * 32 * 4
    assert hashlib.sha256(data).hexdigest() == _SHA256


def test_rows_are_probabilities() -> None:
    """Every row sums to 2^24 and every symbol can occur."""
    table = tables.laplace_frequencies()
    assert table.shape == (64 * 16, 32)
    assert np.all(table.sum(axis=1) == 1 << 24)
    assert table.min() >= 1


def test_nobody_can_change_them() -> None:
    """The shared array is read-only."""
    with pytest.raises(ValueError, match="read-only"):
        tables.laplace_frequencies()[0, 0] = 1


@pytest.mark.parametrize("scale_index", range(0, 64, 7))
@pytest.mark.parametrize("fraction", [0, 1, 5, 8, 11, 15])
def test_close_to_the_laplace_mass(scale_index: int, fraction: int) -> None:
    """Each frequency is the mass of its interval under the float Laplace distribution."""
    scale = 2 ** ((scale_index - 40) / 8)
    mean = (fraction - 8) / 16

    def cdf(x: float) -> float:
        side = exp(-abs(x - mean) / scale) / 2
        return 1 - side if x > mean else side

    row = tables.laplace_frequencies()[16 * scale_index + fraction] / 2**24
    residuals = tables.index_to_residual(np.arange(31))
    # Every symbol keeps at least one count; 32 counts of 2^24 are 1.9e-6 in all.
    masses = np.array([cdf(r + 0.5) - cdf(r - 0.5) for r in residuals.tolist()])
    floor = 2.0**-24
    assert np.abs(row[1:31] - masses[1:] * (1 - 32 * floor) - floor).max() < 1e-7
    assert abs(row[0] - masses[0]) < 3e-6
    assert abs(row[31] - (1 - masses.sum())) < 1e-6


def test_symmetry() -> None:
    """A mirrored mean gives the mirrored table, but for the rounding the first entry takes."""
    table = tables.laplace_frequencies().reshape(64, 16, 32)
    swapped = [0] + [index + 1 if index & 1 else index - 1 for index in range(1, 31)] + [31]
    for distance in range(8):
        above, below = table[:, 8 + distance], table[:, 8 - distance]
        assert np.array_equal(above[:, 1:], below[:, swapped][:, 1:])
    # A mean of −1/2 lies between the residuals −1 and 0.
    half = table[:, 0]
    assert np.array_equal(half[:, 2:30:2], half[:, 3:31:2])


def test_order_of_residuals() -> None:
    """Residuals 0, −1, 1, −2 and so on have the indices 0, 1, 2, 3 and so on."""
    residuals = tables.index_to_residual(np.arange(7))
    assert residuals.tolist() == [0, -1, 1, -2, 2, -3, 3]
    every = np.arange(-70_000, 70_000)
    assert np.array_equal(tables.index_to_residual(tables.residual_to_index(every)), every)


def test_information_content() -> None:
    """Bits are −log2 of the share."""
    bits = tables.laplace_bits()
    assert np.allclose(np.exp2(-bits) * 2**24, tables.laplace_frequencies(), rtol=1e-12)
    assert bits[8, 0] < 5e-6

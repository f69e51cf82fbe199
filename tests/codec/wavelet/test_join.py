"""Joining lines in bands, against the formula of docs/format.md in Python's integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.codec.wavelet.join import Join

LARGEST_TAP = ((1 << 53) - 1) // (9 << 27)
"""The largest magnitude of a tap that is proven exact."""


def _joined(line: list[int], taps: list[int], exponent: int) -> list[int]:
    """Join a line whose low and high numbers lie in turns; section 10 of docs/format.md."""
    size, out = len(line), []
    for place in range(size):
        total = 0
        for distance in range(-4, 5):
            source = (place + distance) % (2 * size - 2)
            source = source if source < size else 2 * size - 2 - source
            if source % 2:
                total += taps[4 + abs(distance)] * line[source]
            elif abs(distance) <= 3:
                total += taps[abs(distance)] * line[source]
        out.append(total >> exponent)
    return out


@given(
    st.sampled_from([2, 3, 5, 19, 20, 21, 22, 35, 36, 37, 40, 53, 70]),
    st.integers(0, 12),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_equals_python_integers(size: int, exponent: int, only_low: bool, random: object) -> None:
    """Along both axes a line is what unbounded integers make it, at the largest taps as well."""
    draw = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    taps = draw.choice([-LARGEST_TAP, -3, 1, LARGEST_TAP], 9).tolist()
    lines = draw.choice([-(2**27), -5, 0, 7, 2**27 - 1], (3, size))
    if only_low:
        lines[:, 1::2] = 0
    join = Join(QuantizedTensor(np.array(taps), exponent), size, only_low)
    source = lines[:, ::2] if only_low else lines
    expected = [_joined(line, taps, exponent) for line in lines.tolist()]
    along_rows = np.zeros((3, size + 1))
    join.rows(np.ascontiguousarray(source, dtype=np.float64), along_rows)
    assert np.floor(along_rows[:, :size]).astype(np.int64).tolist() == expected
    assert not along_rows[:, size].any()
    along_columns = np.zeros((size, 3))
    join.columns(np.ascontiguousarray(source.T, dtype=np.float64), along_columns)
    assert np.floor(along_columns.T).astype(np.int64).tolist() == expected
    assert np.abs(along_rows).max() <= 2**27 * join.growth


@pytest.mark.parametrize("size", [16, 64, 512])
def test_bands_are_narrow(size: int) -> None:
    """A line sixteen times as long takes about sixteen times the multiply-adds."""
    join = Join(QuantizedTensor(np.ones(9, dtype=np.int64), 0), size)
    macs = sum(band.matrix.size * band.count for band in join._bands)
    assert macs <= 24 * size

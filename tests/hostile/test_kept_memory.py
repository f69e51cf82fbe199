"""What a process keeps of one file for the next stays small, whatever sizes files have."""

from math import prod

import pytest

from ddcodec.codec.latents import wave_positions
from ddcodec.codec.wavelet.shape import synthesis_basis


def test_bases_of_many_sizes_stay_small() -> None:
    """The parts of wavelet taps for as many of the largest sizes as are kept take 75 MB."""
    largest = synthesis_basis(512)
    assert largest.nbytes == prod((9, 512, 512))
    assert synthesis_basis.cache_info().maxsize == 32


@pytest.mark.parametrize(("rows", "columns"), [(512, 512), (3, 5), (0, 4)])
def test_positions_of_many_sizes_stay_small(rows: int, columns: int) -> None:
    """The positions of as many of the largest planes as are kept take 67 MB."""
    assert sum(wave.nbytes for wave in wave_positions(rows, columns)) == 4 * rows * columns
    assert wave_positions.cache_info().maxsize == 64

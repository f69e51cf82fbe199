"""The order of the latents: every position once, nothing before what it depends on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_content import IntegerSource, sample_header, sample_networks

from ddcodec.codec.context import CAUSAL_NEIGHBOURS, CONTEXT_MARGIN
from ddcodec.codec.latents import LevelCoder, as_activations, crop_plane, wave_positions
from ddcodec.codec.stream import context_of
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.entropy.range_coder import RangeDecoder, RangeEncoder


@given(st.integers(1, 20), st.integers(1, 20))
def test_waves_cover_every_position_once_and_respect_causality(rows: int, columns: int) -> None:
    """Waves are the positions of equal x + 3 y, by rising y; neighbours lie in earlier waves."""
    seen: set[tuple[int, int]] = set()
    for wave in wave_positions(rows, columns):
        positions = [(int(y), int(x)) for y, x in wave]
        assert len({x + 3 * y for y, x in positions}) == 1
        assert positions == sorted(positions)
        for y, x in positions:
            inside = [
                (y + dy, x + dx)
                for dy, dx in CAUSAL_NEIGHBOURS
                if 0 <= y + dy < rows and 0 <= x + dx < columns
            ]
            assert seen.issuperset(inside)
        seen.update(positions)
    assert seen == {(y, x) for y in range(rows) for x in range(columns)}
    assert sum(len(wave) for wave in wave_positions(rows, columns)) == rows * columns


def test_literal_order() -> None:
    """A level of 2 × 5 is walked in this order."""
    order = [[(int(y), int(x)) for y, x in wave] for wave in wave_positions(2, 5)]
    assert order == [
        [(0, 0)], [(0, 1)], [(0, 2)], [(0, 3), (1, 0)], [(0, 4), (1, 1)],
        [(1, 2)], [(1, 3)], [(1, 4)],
    ]  # fmt: skip


def test_neighbours_are_causal_and_inside_the_margin() -> None:
    """All 32 neighbours differ, come earlier in raster and wave order, and stay in the margin."""
    assert len(set(CAUSAL_NEIGHBOURS)) == 32
    for dy, dx in CAUSAL_NEIGHBOURS:
        assert (dy, dx) < (0, 0) and dx + 3 * dy < 0
        assert max(-dy, abs(dx)) <= CONTEXT_MARGIN


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 7)])
@pytest.mark.parametrize("num_images", [1, 3])
def test_level_round_trip(shape: tuple[int, int], num_images: int) -> None:
    """One level alone, with a coarser one beside it, is read back; the margin stays zero."""
    header = sample_header(context_id=2, num_levels=2)
    source = IntegerSource(5)
    context = context_of(header)
    network = context.exact(sample_networks(header, source))
    latents = source.peaked(20, num_images, *shape).astype(np.int16)
    coarse_shape = (-(-shape[0] // 2) + 8, -(-shape[1] // 2) + 8, num_images)
    coarser = np.zeros(coarse_shape, np.int16)
    coarser[4:-4, 4:-4] = source.peaked(3, *coarser[4:-4, 4:-4].shape)

    def level_coder() -> LevelCoder:
        return LevelCoder(context, network, LaplaceModel(), 0, shape, num_images, coarser)

    encoder = RangeEncoder()
    level_coder().code(encoder, latents)
    decoder = RangeDecoder(encoder.payload())
    plane = level_coder().code(decoder, None)
    decoder.finish()
    assert np.array_equal(crop_plane(plane), latents)
    assert np.count_nonzero(plane) == np.count_nonzero(latents)


def test_symbols_as_activations() -> None:
    """A symbol is an activation in units of 2^−12."""
    assert as_activations(np.array([[-1, 3]], np.int16)).tolist() == [[-4096.0, 12288.0]]

"""The order of the latents: every position once, nothing before what it depends on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_content import IntegerSource, sample_header, sample_networks

from ddcodec.codec.context.neighbours import CAUSAL_NEIGHBOURS
from ddcodec.codec.latents import LatentCoder, wave_positions
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


def test_neighbours_are_causal() -> None:
    """All 32 neighbours differ and come earlier in raster and wave order."""
    assert len(set(CAUSAL_NEIGHBOURS)) == 32
    for dy, dx in CAUSAL_NEIGHBOURS:
        assert (dy, dx) < (0, 0) and dx + 3 * dy < 0


@pytest.mark.parametrize("facts", [(1, 2), (2, 1), (3, 2), (3, 3), (4, 4)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 7), (8, 8)])
@pytest.mark.parametrize("num_images", [1, 3])
def test_planes_round_trip(facts: tuple[int, int], shape: tuple[int, int], num_images: int) -> None:
    """All planes of an image, empty ones too, are read back, whatever the context model."""
    context_id, synthesis_id = facts
    if context_id < 3:
        synthesis_id = 1
    header = sample_header(
        context_id=context_id,
        synthesis_id=synthesis_id,
        num_levels=2,
        channels=3,
        height=shape[0],
        width=shape[1],
    )
    source = IntegerSource(5)
    context = context_of(header)
    network = context.exact(sample_networks(header, source))
    latents = [
        source.peaked(20, num_images, plane.rows, plane.columns).astype(np.int16)
        for plane in header.planes
    ]
    encoder = RangeEncoder()
    writer = LatentCoder(context, network, LaplaceModel(), num_images)
    for number in reversed(range(len(latents))):
        writer.code(encoder, number, latents[number])
    decoder = RangeDecoder(encoder.payload())
    reader = LatentCoder(context, network, LaplaceModel(), num_images)
    for number in reversed(range(len(latents))):
        assert np.array_equal(reader.code(decoder, number, None), latents[number])
    decoder.finish()


@pytest.mark.parametrize("written", [1, 40, 1 << 18])
def test_waves_may_be_written_together(monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """Many waves written at once, escapes among them, are read wave by wave."""
    monkeypatch.setattr("ddcodec.codec.latents.WRITTEN_SYMBOLS", written)
    header = sample_header(num_levels=1, channels=1, height=9, width=7)
    source = IntegerSource(6)
    context = context_of(header)
    network = context.exact(sample_networks(header, source))
    plane = source.peaked(2, 3, 9, 7).astype(np.int16)
    plane[1, 0, 6] = plane[2, 4, 1] = plane[0, 8, 6] = 900
    encoder = RangeEncoder()
    LatentCoder(context, network, LaplaceModel(), 3).code(encoder, 0, plane)
    decoder = RangeDecoder(encoder.payload())
    assert np.array_equal(
        LatentCoder(context, network, LaplaceModel(), 3).code(decoder, 0, None), plane
    )
    decoder.finish()

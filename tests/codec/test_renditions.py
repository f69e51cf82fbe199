"""Renditions: literal numbers, bounds, and that only details differ."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_content import sample_content, sample_header

from ddcodec.codec.decode import render_exact
from ddcodec.codec.renditions import (
    OTHER_REACH,
    SUBSTEPS,
    ZERO_REACH,
    detailed,
    draw_renditions,
    uniform_numbers,
)
from ddcodec.errors import FormatError
from ddcodec.format.claims import drawing_claim
from ddcodec.format.limits import DecodeLimits


def test_literal_numbers() -> None:
    """The generator is SHAKE-256 of the words in docs/format.md, three bytes a number."""
    assert uniform_numbers(4, 1, 0, 0).tolist() == [14019298, 2943549, 8169709, 16734990]
    assert uniform_numbers(2, 2, 0, 3).tolist() == [1406529, 6689191]
    assert uniform_numbers(0, 1, 0, 0).tolist() == []


@given(st.integers(-40_000, 40_000), st.integers(0, 63), st.integers(1, 63))
def test_details_stay_within_their_reach(symbol: int, scale: int, rendition: int) -> None:
    """A symbol moves by at most 12/16 if it is 0, else by 5/16, and stays in the coded range."""
    symbol = min(max(symbol, -(1 << 15)), (1 << 15) - 1)
    symbols = np.full((3, 2, 2), symbol, dtype=np.int16)
    (moved,) = detailed([symbols], [np.full(symbols.shape, scale)], rendition, 0)
    sixteenths = SUBSTEPS * (moved - symbol)
    assert np.array_equal(sixteenths, np.rint(sixteenths))
    assert np.abs(sixteenths).max() <= (OTHER_REACH if symbol else ZERO_REACH)
    assert moved.min() >= -(1 << 15) and moved.max() <= (1 << 15) - 1


def test_sure_symbols_have_no_details() -> None:
    """Where the smallest scale is predicted, details are a sixteenth of a step or less."""
    symbols = np.zeros((20, 8, 8), dtype=np.int16)
    (sure,) = detailed([symbols], [np.zeros(symbols.shape, dtype=np.int64)], 1, 0)
    (vague,) = detailed([symbols], [np.full(symbols.shape, 40)], 1, 0)
    assert np.abs(sure).mean() < 1 / SUBSTEPS
    assert np.abs(vague).mean() > 0.2


def test_strength_doubles_with_eight() -> None:
    """Eight more make details twice as strong, as long as they stay within their reach."""
    symbols, scale = np.zeros((50, 8, 8), dtype=np.int16), np.full((50, 8, 8), 10)
    weak, strong = (detailed([symbols], [scale], 1, 0, strength)[0] for strength in (4, 12))
    assert 1.8 < np.abs(strong).mean() / np.abs(weak).mean() < 2.2


@pytest.mark.parametrize(
    "facts",
    [
        {"context_id": 1},
        {"context_id": 3, "synthesis_id": 2, "synthesis_widths": (3,), "channels": 3},
        {"context_id": 3, "synthesis_id": 3, "channels": 3, "num_sets": 2, "num_images": 5},
    ],
)
def test_the_first_is_the_image_itself(facts: dict[str, object]) -> None:
    """Rendition 0 has no details, the others differ from it and from each other."""
    header = sample_header(**facts)
    content = sample_content(header, 5)
    drawn = draw_renditions(header, content, 3)
    assert drawn.shape == (
        3, header.num_images, header.channels, header.height, header.width,
    )  # fmt: skip
    assert np.array_equal(drawn[0], render_exact(header, content))
    assert not np.array_equal(drawn[1], drawn[0])
    assert not np.array_equal(drawn[1], drawn[2])
    assert np.array_equal(draw_renditions(header, content, 2), drawn[:2])


@pytest.mark.parametrize(("count", "says"), [(0, "1 to 64"), (65, "not 65"), (-1, "not -1")])
def test_numbers_out_of_range(count: int, says: str) -> None:
    """There are 1 to 64 renditions."""
    header = sample_header()
    with pytest.raises(FormatError, match=says):
        draw_renditions(header, sample_content(header, 5), count)


def test_pixels_have_one() -> None:
    """What was coded without loss leaves nothing open."""
    header = sample_header(context_id=4, synthesis_id=4)
    content = sample_content(header, 5)
    assert len(draw_renditions(header, content, 1)) == 1
    with pytest.raises(FormatError, match="one rendition only"):
        draw_renditions(header, content, 2)


def test_limits_come_first() -> None:
    """More renditions than memory or work allow are refused before anything is drawn."""
    header = sample_header()
    content = sample_content(header, 5)
    claim = drawing_claim(header, 1000, 64)
    exact = DecodeLimits(max_bytes=claim.memory_bytes, max_seconds=claim.seconds)
    draw_renditions(header, content, 64, exact, 1000)
    for less in ({"max_bytes": claim.memory_bytes - 1}, {"max_seconds": 0.99 * claim.seconds}):
        with pytest.raises(FormatError, match=f"--{next(iter(less))}".replace("_", "-")):
            draw_renditions(header, content, 64, replace(exact, **less), 1000)

"""Soft labels: there and back, what they say, and what they cost."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from sample_content import sample_header

from ddcodec.codec.labels.class_counts import labels_of
from ddcodec.codec.labels.soft_labels import SoftLabels, code_soft_labels
from ddcodec.codec.parameters import QuantizedTensor, coded_bits
from ddcodec.entropy.range_coder import RangeDecoder, RangeEncoder
from ddcodec.format.claims import decoding_claim


@st.composite
def soft_labels(draw: st.DrawFn) -> tuple[SoftLabels, list[int]]:
    """Draw logits and tables of any size, and the images of each class."""
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=5).filter(any))
    num_classes = len(counts)
    spread = draw(st.sampled_from([0, 3, 1000, 32767]))
    far = draw(st.sampled_from([20, 1 << 21, 1 << 29]))
    table = (num_classes, num_classes)
    # A value further than 16 bits from its location cannot be coded.
    loc_limit = min(far, 16 * (32_767 - spread))
    return SoftLabels(
        draw(arrays.arrays(np.int16, (sum(counts), num_classes), elements={
            "min_value": -spread, "max_value": spread
        })),
        draw(st.integers(0, 12)),
        draw(arrays.arrays(np.int64, table, elements=st.integers(-loc_limit, loc_limit))),
        draw(arrays.arrays(np.int64, table, elements=st.integers(-far, far))),
    ), counts  # fmt: skip


@given(soft_labels())
def test_round_trip(drawn: tuple[SoftLabels, list[int]]) -> None:
    """Logits, tables and the step are read back, however badly the tables fit."""
    soft, counts = drawn
    labels = labels_of(np.array(counts))
    encoder = RangeEncoder()
    assert np.array_equal(code_soft_labels(encoder, soft, labels, len(counts)).logits, soft.logits)
    decoder = RangeDecoder(encoder.payload())
    read = code_soft_labels(decoder, None, labels, len(counts))
    decoder.finish()
    assert read.logits.dtype == np.int16
    assert np.array_equal(read.logits, soft.logits)
    assert np.array_equal(read.loc, soft.loc) and np.array_equal(read.scale, soft.scale)
    assert read.step_exponent == soft.step_exponent


def test_locations_and_scales_beyond_the_tables_are_clamped() -> None:
    """A location of 2^20 sixteenths acts as 2^19, a scale of ±1000 as the widest or narrowest."""
    labels = np.array([0])
    soft = SoftLabels(np.array([[32_767]], np.int16), 0, np.array([[1 << 20]]), np.array([[1000]]))
    near = SoftLabels(np.array([[32_767]], np.int16), 0, np.array([[1 << 19]]), np.array([[23]]))
    costs = []
    for wanted in (soft, near):
        encoder = RangeEncoder()
        code_soft_labels(encoder, wanted, labels, 1)
        tables = sum(coded_bits(QuantizedTensor(part, 0)) for part in (wanted.loc, wanted.scale))
        costs.append(encoder.bits - tables)
    assert costs[0] == pytest.approx(costs[1], abs=1e-6)
    # The step, one of 13, and a symbol near the centre of the widest table.
    assert np.log2(13) + 3 < costs[1] < np.log2(13) + 6


def test_memory_is_what_the_header_says() -> None:
    """The bound on the decoder's memory covers the logits in work, far ones among them."""
    random = np.random.default_rng(1)
    header = sample_header(label_mode=1, num_classes=10, num_images=20_000)
    labels = labels_of(np.full(10, 2000))
    logits = random.integers(-32_768, 32_768, (20_000, 10)).astype(np.int16)
    table = np.full((10, 10), 23)
    encoder = RangeEncoder()
    code_soft_labels(encoder, SoftLabels(logits, 0, table, table), labels, 10)
    decoder = RangeDecoder(encoder.payload())
    tracemalloc.start()
    try:
        code_soft_labels(decoder, None, labels, 10)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    without = sample_header(num_classes=10, num_images=20_000)
    claimed_bytes = (
        decoding_claim(header, 1000).memory_bytes - decoding_claim(without, 1000).memory_bytes
    )
    assert claimed_bytes / 2 < peak_bytes < claimed_bytes


def test_probabilities() -> None:
    """Logits are multiples of the step; far ones neither overflow nor vanish into NaN."""
    logits = np.array([[0, 0, -32768], [2, 0, 0], [32767, -32768, 32767]], np.int16)
    table = np.zeros((3, 3), np.int64)
    shares = SoftLabels(logits, 1, table, table).probabilities
    e = np.e
    expected = [[0.5, 0.5, 0], [e / (e + 2), 1 / (e + 2), 1 / (e + 2)], [0.5, 0, 0.5]]
    assert shares.dtype == np.float32
    assert shares == pytest.approx(np.array(expected), abs=1e-7)


def test_cost_is_close_to_the_entropy() -> None:
    """Laplace logits cost at most 0.5 % more than they must, apart from their tables."""
    random = np.random.default_rng(4)
    num_classes, per_class = 4, 1500
    loc = random.integers(-300, 300, (num_classes, num_classes))
    scale = random.integers(-8, 13, (num_classes, num_classes))
    labels = labels_of(np.full(num_classes, per_class))
    centres, widths = (loc / 16)[labels], (2.0 ** (scale / 8))[labels]
    logits = np.rint(random.laplace(centres, widths)).astype(np.int16)
    encoder = RangeEncoder()
    code_soft_labels(encoder, SoftLabels(logits, 4, loc, scale), labels, num_classes)
    ideal_bits = float(-np.log2(_masses(logits - centres, widths)).sum())
    tables = sum(coded_bits(QuantizedTensor(part, 0)) for part in (loc, scale))
    assert ideal_bits > 50_000
    payload_bits = 8 * len(encoder.payload()) - tables - np.log2(13)
    assert 0.999 * ideal_bits < payload_bits < 1.005 * ideal_bits + 64


def _masses(distances: NDArray[np.float64], widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Laplace mass within half a step of each distance."""

    def below(value: NDArray[np.float64]) -> NDArray[np.float64]:
        tail = 0.5 * np.exp(-np.abs(value) / widths)
        return np.where(value < 0, tail, 1 - tail)

    # Left of the centre nothing is lost to 1 − tail.
    far = -np.abs(distances)
    return below(far + 0.5) - below(far - 0.5)

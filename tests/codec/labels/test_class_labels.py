"""Class counts and class names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.codec.labels.class_counts import code_class_counts, code_class_names, labels_of
from ddcodec.entropy.range_coder import RangeDecoder, RangeEncoder
from ddcodec.errors import FormatError

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(st.lists(_NAMES | st.text("abz09_- ", max_size=30), min_size=1, max_size=6).map(tuple))
def test_names_of_any_letters(names: tuple[str, ...]) -> None:
    """Any Unicode name, the empty one too, is read back."""
    encoder = RangeEncoder()
    assert code_class_names(encoder, names, len(names)) == names
    decoder = RangeDecoder(encoder.payload())
    assert code_class_names(decoder, None, len(names)) == names
    decoder.finish()


def test_cost_of_names() -> None:
    """Small letters, dashes and spaces cost five bits, digits 8.3, other bytes 13."""
    encoder = RangeEncoder()
    code_class_names(encoder, ("a-b_c d",), 1)
    assert encoder.bits == pytest.approx(5 * 8, abs=1e-4)
    code_class_names(encoder, ("7Z",), 1)
    assert encoder.bits == pytest.approx(40 + 5 + np.log2(10) + 13 + 5, abs=1e-3)


def test_longest_name() -> None:
    """A name may have 255 bytes and no more."""
    assert code_class_names(RangeEncoder(), ("é" * 127 + "x",), 1)
    with pytest.raises(FormatError, match="longer than 255 bytes"):
        code_class_names(RangeEncoder(), ("é" * 128,), 1)


def test_broken_letters_are_refused() -> None:
    """Bytes that are not UTF-8 are refused."""
    encoder = RangeEncoder()
    for value, size in ((31, 32), (0xFF, 256), (0, 32)):
        encoder.uniform(np.array([value]), size, 1)
    with pytest.raises(FormatError, match="UTF-8"):
        code_class_names(RangeDecoder(encoder.payload()), None, 1)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20).filter(any))
def test_counts_round_trip(counts: list[int]) -> None:
    """Any class sizes are read back and make sorted labels."""
    array = np.array(counts, dtype=np.int64)
    encoder = RangeEncoder()
    code_class_counts(encoder, array, len(counts), sum(counts))
    if len(set(counts)) == 1:
        assert encoder.bits == 1
    decoded = code_class_counts(RangeDecoder(encoder.payload()), None, len(counts), sum(counts))
    assert decoded.tolist() == counts
    labels = labels_of(decoded)
    assert labels.tolist() == sorted(labels.tolist())
    assert np.bincount(labels, minlength=len(counts)).tolist() == counts


def test_counts_that_do_not_add_up_are_refused() -> None:
    """Unequal counts must sum to the number of images; equal ones must divide it."""
    encoder = RangeEncoder()
    encoder.uniform(np.array([0]), 2, 1)
    encoder.uniform(np.array([3, 3]), 8, 2)
    with pytest.raises(FormatError, match="do not add up"):
        code_class_counts(RangeDecoder(encoder.payload()), None, 2, 7)
    encoder = RangeEncoder()
    encoder.uniform(np.array([1]), 2, 1)
    with pytest.raises(FormatError, match="equal size"):
        code_class_counts(RangeDecoder(encoder.payload()), None, 2, 7)

"""Counting, splitting and normalising."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.datasets import base, class_counts, normalisation, split_validation
from ddcodec.errors import DataError

label_lists = st.lists(st.integers(0, 6), min_size=1, max_size=120)
fractions = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**40)


def as_labels(values: list[int]) -> np.ndarray:
    """Return labels as the package holds them."""
    return np.array(values, dtype=np.int64)


@given(label_lists, st.integers(0, 3))
def test_rows_of_classes(values: list[int], empty: int) -> None:
    """Every class has the rows that carry its label, rising; classes without any have none."""
    num_classes = max(values) + 1 + empty
    rows = base.rows_of_classes(as_labels(values), num_classes)
    assert len(rows) == num_classes
    for label, members in enumerate(rows):
        assert members.dtype == np.int64
        assert members.tolist() == [row for row, own in enumerate(values) if own == label]


def test_rows_of_classes_out_of_range() -> None:
    """A label that no class has is named."""
    with pytest.raises(DataError, match="labels run from 0 to 3, but 3 classes"):
        base.rows_of_classes(as_labels([0, 3]), 3)


@given(label_lists, fractions, seeds)
def test_split_is_a_sorted_partition(values: list[int], fraction: float, seed: int) -> None:
    """Every index is in exactly one side, and both sides are sorted."""
    training, validation = split_validation(as_labels(values), fraction, seed)
    assert training.dtype == validation.dtype == np.int64
    assert sorted([*training, *validation]) == list(range(len(values)))
    assert list(training) == sorted(training)
    assert list(validation) == sorted(validation)


@given(label_lists, fractions, seeds)
def test_split_is_stratified(values: list[int], fraction: float, seed: int) -> None:
    """Each class gives its share to validation, at least one of two, and keeps at least one."""
    labels = as_labels(values)
    training, validation = split_validation(labels, fraction, seed)
    total = class_counts(labels, 7)
    taken = class_counts(labels[validation], 7)
    kept = class_counts(labels[training], 7)
    assert np.all(kept[total > 0] >= 1)
    assert np.all(taken[total >= 2] >= 1)
    assert np.all(taken[total < 2] == 0)
    roomy = (taken > 1) & (kept > 1)
    assert np.all(np.abs(taken - fraction * total)[roomy] <= 0.5)


@given(label_lists, seeds)
def test_split_repeats(values: list[int], seed: int) -> None:
    """The same arguments give the same split."""
    first = split_validation(as_labels(values), 0.3, seed)
    second = split_validation(as_labels(values), 0.3, seed)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_split_is_pinned() -> None:
    """The split of a small set never changes, on any machine or release."""
    labels = as_labels([0, 1] * 10)
    assert split_validation(labels, 0.2, seed=0)[1].tolist() == [4, 6, 9, 15]
    assert split_validation(labels, 0.2, seed=1)[1].tolist() == [4, 11, 13, 18]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_split_refuses_a_fraction_out_of_range(fraction: float) -> None:
    """A fraction outside (0, 1) is an error that names it."""
    with pytest.raises(DataError, match=f"fraction is {fraction}"):
        split_validation(as_labels([0, 0]), fraction)


def test_split_refuses_a_negative_seed() -> None:
    """A negative seed is an error, not a NumPy traceback."""
    with pytest.raises(DataError, match="seed is -1"):
        split_validation(as_labels([0, 0]), 0.5, -1)


def test_class_counts() -> None:
    """Classes without images count 0; labels out of range are an error."""
    assert class_counts(as_labels([2, 0, 2]), 4).tolist() == [1, 0, 2, 0]
    assert class_counts(as_labels([]), 2).tolist() == [0, 0]
    with pytest.raises(DataError, match="from 0 to 1"):
        class_counts(as_labels([0, 2]), 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_normalisation_matches_numpy(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean and deviation agree with NumPy's over all images at once, whatever the chunks."""
    monkeypatch.setattr(base, "CHUNK_BYTES", 3 * channels * 20)
    images = np.random.default_rng(0).integers(0, 256, (17, channels, 5, 4), dtype=np.uint8)
    mean, std = normalisation(images)
    assert mean.dtype == std.dtype == np.float64
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255).std(axis=(0, 2, 3)), rtol=1e-12)


def test_normalisation_of_a_constant_channel() -> None:
    """A constant channel has no deviation, not a tiny or undefined one."""
    mean, std = normalisation(np.full((3, 1, 2, 2), 51, dtype=np.uint8))
    assert mean.tolist() == [0.2]
    assert std.tolist() == [0.0]


def test_normalisation_of_nothing() -> None:
    """No images is an error."""
    with pytest.raises(DataError, match="empty"):
        normalisation(np.zeros((0, 3, 2, 2), dtype=np.uint8))

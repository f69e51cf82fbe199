"""Whole images shared out among classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.distill.comparison.image_counts import largest_that_fits, spread_evenly
from ddcodec.distill.rate.images_per_class import fixed_counts
from ddcodec.errors import DataError


def test_counts_by_hand() -> None:
    """Classes fill up together; what one has not, others give; nothing beyond what there is."""
    available = np.array([5, 1, 3], dtype=np.int64)
    expected = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1], [2, 1, 2], [3, 1, 2],
                [3, 1, 3], [4, 1, 3], [5, 1, 3], [5, 1, 3]]  # fmt: skip
    assert [spread_evenly(count, available).tolist() for count in range(11)] == expected


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6), st.integers(0, 100))
def test_counts_add_up_and_only_grow(available: list[int], count: int) -> None:
    """Every image is given out, no class gets more than it has, and one more takes none away."""
    numbers = np.array(available, dtype=np.int64)
    counts, more = spread_evenly(count, numbers), spread_evenly(count + 1, numbers)
    assert counts.sum() == min(count, sum(available))
    assert (counts <= numbers).all() and (counts <= more).all()
    short = counts < numbers
    assert not short.any() or counts.max() - counts[short].min() <= 1


def test_fixed_counts() -> None:
    """A class with too few images is named."""
    assert fixed_counts(2, np.array([3, 2])).tolist() == [2, 2]
    with pytest.raises(DataError, match="class 1 has only 2"):
        fixed_counts(3, np.array([3, 2]))


@pytest.mark.parametrize("limit", [0, 1, 6, 7, 50])
def test_largest_that_fits(limit: int) -> None:
    """The border is found, at either end too."""
    assert largest_that_fits(7, lambda count: count <= limit) == min(limit, 7)

"""How many images each class gets where whole images are what a budget is filled with."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def spread_evenly(count: int, available: Integers) -> Integers:
    """Return numbers of images per class that add up to `count`, or to all there are.

    No class has two more than another unless that one has no more; of the classes with one more,
    the first ones come first. So a larger count never takes an image from a class.
    """
    most = int(available.max(initial=0))
    level = bisect_right(range(most + 1), count, key=lambda k: _up_to(k, available)) - 1
    counts = np.minimum(available, level)
    (open_classes,) = np.nonzero(available > level)
    counts[open_classes[: count - int(counts.sum())]] += 1
    return counts


def _up_to(level: int, available: Integers) -> int:
    return int(np.minimum(available, level).sum())


def largest_that_fits(most: int, fits: Callable[[int], bool]) -> int:
    """Return the largest of 1 … `most` that fits, 0 if none does; what fits, fits with less."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low

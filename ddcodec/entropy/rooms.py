"""Arrays that are used again: fresh memory costs more than what is done in it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Rooms:
    """Arrays by name, for one piece of work after another; whoever asks again finds the old one."""

    def __init__(self) -> None:
        self._arrays: dict[Hashable, NDArray[Any]] = {}

    def __call__(
        self, name: Hashable, shape: tuple[int, ...], dtype: DTypeLike = np.float64
    ) -> NDArray[Any]:
        """Return the array of this name, zeros at first, as left behind afterwards.

        Another shape or dtype than before makes it anew.
        """
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.zeros(shape, dtype)
        return array

"""What a source of pairs of an image file and a label is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ddcodec.datasets.trees.member import Place

Row = tuple[str, bytes, int | str, Place | None]
"""What to call an image in messages, its file, its label, and where the file can be read alone."""


class RowSource(Protocol):
    """Images and labels in rows.

    Attributes:
        class_names: of the numbers that labels are, or None.
    """

    class_names: tuple[str, ...] | None

    def splits(self) -> tuple[str, ...]:
        """Return the splits there are, of `train` and HELD_OUT."""
        ...

    def rows(self, split: str) -> Iterator[Row]:
        """Yield the rows of a split, the same ones each time; raises DataError."""
        ...

"""Images on one line, where the neighbours of every pixel lie at the same nine distances.

Pixels of some images are kept row by row, within a row image by image, and behind the columns of
each image stands one zero, as do zeros before the first row and after the last: whatever lies
outside an image. So the neighbours of many pixels are as many pixels in a row, and an exact layer
over 3×3 surroundings is a large matrix product, of copies of the line before it or of sums of the
line after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ddcodec.entropy.exact import Carried

SIDE = 3
"""Rows and columns of the surroundings."""


@dataclass(frozen=True)
class Raster:
    """The places of the pixels of some images of one size on a line.

    Attributes:
        rows, images, columns: what is counted, the last one fastest.
    """

    rows: int
    images: int
    columns: int

    @cached_property
    def line(self) -> int:
        """Columns of an image and the zero behind them."""
        return self.columns + 1

    @cached_property
    def row(self) -> int:
        """A row of all images."""
        return self.images * self.line

    @cached_property
    def length(self) -> int:
        """Everything but the margins."""
        return self.rows * self.row

    @cached_property
    def margin(self) -> int:
        """Zeros before the first row and after the last."""
        return self.row + 1

    @cached_property
    def padded(self) -> int:
        """Everything."""
        return self.length + 2 * self.margin

    def inside(self, values: Carried) -> Carried:
        """Return the part of channels × padded that is not margin."""
        return values[:, self.margin : self.margin + self.length]

    def pixels(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return channels × length as channels × rows × images × columns, without the zeros."""
        shape = (len(values), self.rows, self.images, self.line)
        return values.reshape(shape)[..., : self.columns]

    def clear(self, values: Carried) -> None:
        """Put zeros behind the columns, in channels × some whole lines."""
        values.reshape(len(values), -1, self.line)[:, :, self.columns] = 0

    def surroundings(self, values: Carried, start: int, count: int) -> Carried:
        """Return a view of the surroundings of `count` places: 3 × 3 × channels × count.

        Args:
            values: channels × padded, contiguous.
            start: of the first place, the margin not counted.
            count: how many places.
        """
        size, (channel, _) = values.itemsize, values.strides
        return np.ndarray(
            (SIDE, SIDE, len(values), count),
            values.dtype,
            values,
            start * size,
            (self.row * size, size, channel, size),
        )

    def spread(self, sums: Carried, values: Carried, start: int) -> None:
        """Add to every place what its neighbours have for it; the reverse of `surroundings`.

        Args:
            sums: (9 · channels) × count, first for what is added to the next row's next column.
            values: channels × padded, added to.
            start: of the first place, the margin not counted.
        """
        channels, count = len(values), sums.shape[1]
        for number, distance in enumerate(self.distances):
            first = start + self.margin - distance
            target = values[:, first : first + count]
            target += sums[number * channels : (number + 1) * channels]

    @cached_property
    def distances(self) -> tuple[int, ...]:
        """How far the neighbours are, row by row."""
        return tuple(row * self.row + column for row in (-1, 0, 1) for column in (-1, 0, 1))

"""What an export is made of: the images somebody selected, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.decode import DecodedSymbols


@dataclass(frozen=True)
class Item:
    """One image.

    Attributes:
        number: in the file, from 0.
        number_in_class: likewise among the images of its class.
        label: its class.
        pixels: C × H × W, uint8.
    """

    number: int
    number_in_class: int
    label: int
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class ExportSource:
    """Selected images of a file.

    Attributes:
        symbols: the file; its pixels are decoded while they are exported.
        numbers: of the selected images, rising, int64.
    """

    symbols: DecodedSymbols
    numbers: NDArray[np.int64]

    @classmethod
    def of(cls, symbols: DecodedSymbols, numbers: NDArray[np.int64] | None = None) -> ExportSource:
        """Take some images of a file, or all of them."""
        return cls(symbols, np.arange(len(symbols.labels)) if numbers is None else numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the selected images, int64, as the file numbers its classes."""
        return self.symbols.labels[self.numbers]

    @property
    def soft_labels(self) -> NDArray[np.float32] | None:
        """Probabilities of the selected images, where the file lists them."""
        soft = self.symbols.content.soft_labels
        return None if soft is None else soft.probabilities[self.numbers]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of all classes of the file."""
        return self.symbols.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        header = self.symbols.header
        return header.channels, header.height, header.width

    @property
    def mean(self) -> list[float]:
        """Mean of each channel, of pixels scaled to [0, 1]."""
        return [value / 256 for value in self.symbols.header.mean]

    @property
    def std(self) -> list[float]:
        """Deviation of each channel, likewise."""
        return [value / 256 for value in self.symbols.header.std]

    def batches(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the selected images in order, n × C × H × W, n being 0 now and then.

        Raises:
            FormatError: after the last one, if the file is damaged: what was written until then
                must not be kept.
        """
        first = 0
        for images in self.symbols.image_batches():
            low, high = np.searchsorted(self.numbers, (first, first + len(images)))
            # All images are decoded, whatever is selected: only all of them can be verified.
            yield images[self.numbers[low:high] - first]
            first += len(images)

    def items(self) -> Iterator[Item]:
        """Yield the selected images one by one; see `batches`."""
        labels = self.labels.tolist()
        starts = np.searchsorted(self.symbols.labels, np.arange(len(self.class_names))).tolist()
        index = 0
        for images in self.batches():
            for pixels in images:
                number, label = int(self.numbers[index]), labels[index]
                yield Item(number, number - starts[label], label, pixels)
                index += 1

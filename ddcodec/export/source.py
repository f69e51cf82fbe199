"""What an export is made of: the images somebody selected, a few at a time, once or more often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.decode import DecodedSymbols
from ddcodec.codec.labels.labeler import ExactLabeler
from ddcodec.codec.labels.soft_labels import probabilities_of
from ddcodec.codec.renditions import draw_renditions
from ddcodec.format.claims import check_claim, exporting_claim, labelling_claim
from ddcodec.format.limits import DecodeLimits


@dataclass(frozen=True)
class Item:
    """One image.

    Attributes:
        number: in the file, from 0; where images are drawn more than once, in the file with every
            image that often.
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
        renditions: times that each is drawn, one after another, each time with other details
            (docs/format.md, section 10).
        limits: bounds on what that may take; None for the defaults.
    """

    symbols: DecodedSymbols
    numbers: NDArray[np.int64]
    renditions: int = 1
    limits: DecodeLimits | None = None

    @classmethod
    def of(cls, symbols: DecodedSymbols, numbers: NDArray[np.int64] | None = None) -> ExportSource:
        """Take some images of a file, or all of them."""
        return cls(symbols, np.arange(len(symbols.labels)) if numbers is None else numbers)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Number in the file of every exported image, int64: each as often as it is drawn."""
        return self.numbers.repeat(self.renditions)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the exported images, int64, as the file numbers its classes."""
        return self.symbols.labels[self.rows]

    @property
    def is_part(self) -> bool:
        """Whether images of the file are left out."""
        return len(self.numbers) < len(self.symbols.labels)

    @property
    def largest_number(self) -> int:
        """The number of the last image of the file; see `Item`."""
        return len(self.symbols.labels) * self.renditions - 1

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
        """Yield the exported images in order, n × C × H × W; images left out are not drawn.

        Raises:
            FormatError: if the renditions exceed the limits; after the last image of a whole file,
                if it is damaged: what was written until then must not be kept. The checksum covers
                all images, so that it is not compared for a part of them.
        """
        numbers = self.numbers if self.is_part else None
        if self.renditions == 1:
            yield from self.symbols.image_batches(numbers)
            return
        if numbers is None:
            # What can be verified is, before it is drawn again.
            for _ in self.symbols.image_batches():
                pass
        header, content = self.symbols.header, self.symbols.content
        drawn = draw_renditions(
            header, content, self.renditions, self.limits, self.symbols.file_bytes, numbers
        )
        for index in range(drawn.shape[1]):
            yield drawn[:, index]

    def check_writing(self) -> None:
        """Refuse to write more pictures and classes than the limits allow.

        Raises:
            FormatError: says how long that takes.
        """
        header, file_bytes = self.symbols.header, self.symbols.file_bytes
        claim = exporting_claim(header, file_bytes, len(self), self.renditions)
        check_claim(header, file_bytes, self.limits or DecodeLimits(), claim)

    def labelling(self) -> SoftLabelling:
        """Return what collects soft labels while batches pass by."""
        return SoftLabelling(self)

    def items(self) -> Iterator[Item]:
        """Yield the exported images one by one; see `batches`."""
        labels = self.labels.tolist()
        starts = np.searchsorted(self.symbols.labels, np.arange(len(self.class_names))).tolist()
        index = 0
        for images in self.batches():
            for pixels in images:
                rendition, label = index % self.renditions, labels[index]
                row = int(self.numbers[index // self.renditions])
                number = row * self.renditions + rendition
                in_class = (row - starts[label]) * self.renditions + rendition
                yield Item(number, in_class, label, pixels)
                index += 1


class SoftLabelling:
    """Collect the soft labels of exported images: those of the file, or what its labeler says.

    Args:
        source: whose batches will be shown.

    Raises:
        FormatError: if labelling all of them is more work than a file may ask for.
    """

    def __init__(self, source: ExportSource) -> None:
        header, content = source.symbols.header, source.symbols.content
        self._listed = content.soft_labels
        self._rows = source.rows
        self._labeler = None
        self._parts: list[NDArray[np.int64]] = []
        if header.labeler is None or content.labeler is None:
            return
        claim = labelling_claim(header, len(source))
        check_claim(header, source.symbols.file_bytes, source.limits or DecodeLimits(), claim)
        self._labeler = ExactLabeler(header.labeler, content.labeler)

    def see(self, images: NDArray[np.uint8]) -> None:
        """Label the next images, n × C × H × W."""
        if self._labeler is not None:
            self._parts.append(self._labeler.logits(images))

    def probabilities(self) -> NDArray[np.float32] | None:
        """Return a row for each image seen, float32; None where the file has hard labels only."""
        if self._listed is not None:
            return self._listed.probabilities[self._rows]
        return probabilities_of(np.concatenate(self._parts) / 4096) if self._parts else None

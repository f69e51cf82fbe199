"""Read every image of a split once, and take on the way all that is wanted of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import TrainingMeasure, TrainingStatistics, split_validation
from ddcodec.datasets.request import LoadProgress, OnProgress
from ddcodec.datasets.streamed.images import ImageStore, StreamedImages, pixel_checksum
from ddcodec.datasets.streamed.places import PlaceTable
from ddcodec.datasets.streamed.reading import PlacedFiles
from ddcodec.datasets.trees.image import decode_image
from ddcodec.datasets.trees.member import Place
from ddcodec.datasets.trees.resize import ImageSize


@dataclass(frozen=True)
class Listing:
    """List the images of a split.

    Attributes:
        labels: int64 N.
        names: what each is called in messages; of a file by itself its path in the source.
        places: where each lies; None for one that cannot be read alone.
        areas: pixels of each where it lies.
    """

    labels: NDArray[np.int64]
    names: Sequence[str]
    places: Sequence[Place | None]
    areas: Sequence[int]


@dataclass(frozen=True)
class StreamedSource:
    """Say how images of a source are read.

    Attributes:
        path: of the folder, archive or table.
        shape: C×H×W that each will have.
        size: that they are brought to, or None.
        limit_bytes: of decoded pixels that may be kept.
        on_progress: called now and then.
    """

    path: Path
    shape: tuple[int, int, int]
    size: ImageSize | None
    limit_bytes: int
    on_progress: OnProgress

    @property
    def image_bytes(self) -> int:
        """Return the bytes of one decoded image."""
        return int(np.prod(self.shape))


class OnePass:
    """The images of a split, read once and in order, with all that is wanted of them on the way.

    Args:
        source: how they are read.
        table: where they lie.
        kept: room for the pixels of the first of them.
        split: `train` or `test`.
        labels: int64 N.

    Attributes:
        checksums: uint32 N, the CRC-32 of the pixels of each.
    """

    def __init__(
        self,
        source: StreamedSource,
        table: PlaceTable,
        kept: NDArray[np.uint8],
        split: str,
        labels: NDArray[np.int64],
    ) -> None:
        files = PlacedFiles(source.path, table)
        none = np.empty((0, *source.shape), dtype=np.uint8)
        store = ImageStore(source.shape, none, files, decoder(source.shape[0], source.size))
        self._images = StreamedImages(store, np.arange(len(table)))
        self._kept, self._split, self._on_progress = kept, split, source.on_progress
        self.checksums = np.zeros(len(table), dtype=np.uint32)
        self._is_trained_on = np.zeros(len(table), dtype=np.bool_)
        if split == "train":
            self._is_trained_on[split_validation(labels)[0]] = True
        trained_on = labels[self._is_trained_on]
        self._measure = TrainingMeasure((len(trained_on), *source.shape), trained_on)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return N×C×H×W."""
        return self._images.shape

    def __len__(self) -> int:
        return len(self._images)

    def __array__(self) -> NDArray[Any]:
        raise TypeError("images that are read once are never there all at a time")

    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]:
        """Return the next images, M×C×H×W."""
        images = self._images[rows]
        self.checksums[rows] = [pixel_checksum(image) for image in images]
        start, stop = rows.start, rows.start + len(images)
        self._kept[start:stop] = images[: max(0, len(self._kept) - start)]
        if self._split == "train":
            self._measure.add(images[self._is_trained_on[rows]])
        self._on_progress(LoadProgress(f"reading {self._split}", stop, len(self), "images"))
        return images

    def statistics(self) -> TrainingStatistics:
        """Return what is known of the training part when all have passed."""
        return self._measure.statistics()


def decoder(channels: int, size: ImageSize | None) -> Callable[[bytes, str], NDArray[np.uint8]]:
    """Return what makes pixels C×H×W of a file and its name."""
    return partial(decode_image, channels=channels, size=size)

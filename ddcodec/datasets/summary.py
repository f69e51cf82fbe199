"""What a dataset is, in numbers: what people check before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset, class_counts


@dataclass(frozen=True)
class DatasetSummary:
    """Say what was read.

    Attributes:
        name: what the dataset is called.
        classes: how many.
        channels, height, width: of the images.
        train_images: how many, all classes together.
        test_images: likewise; None where there are none.
        smallest_class: its name.
        smallest_class_images: its training images.
        largest_class: its name.
        largest_class_images: its training images.
        class_names: all, in the order of their labels.
        notes: sentences on what was left out or decided.
    """

    name: str
    classes: int
    channels: int
    height: int
    width: int
    train_images: int
    test_images: int | None
    smallest_class: str
    smallest_class_images: int
    largest_class: str
    largest_class_images: int
    class_names: tuple[str, ...]
    notes: tuple[str, ...]

    def sentence(self) -> str:
        """Return the numbers in a line."""
        low, high = self.smallest_class_images, self.largest_class_images
        each = f"{low:,} in each class" if low == high else f"{low:,} to {high:,} a class"
        test = "no test images" if self.test_images is None else f"{self.test_images:,} test images"
        return (
            f"{self.name}: {self.classes:,} classes, {self.train_images:,} training images "
            f"({each}), {test}, {self.height}x{self.width}x{self.channels}."
        )


def summarise(dataset: Dataset) -> DatasetSummary:
    """Return what a dataset is in numbers."""
    counts: NDArray[np.int64] = class_counts(dataset.train.labels, dataset.num_classes)
    low, high = int(counts.argmin()), int(counts.argmax())
    return DatasetSummary(
        dataset.name,
        dataset.num_classes,
        dataset.channels,
        dataset.height,
        dataset.width,
        len(dataset.train),
        None if dataset.test is None else len(dataset.test),
        dataset.class_names[low],
        int(counts[low]),
        dataset.class_names[high],
        int(counts[high]),
        dataset.class_names,
        dataset.notes,
    )

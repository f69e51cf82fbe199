"""The part of a dataset that distillation may see, ready to train networks on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec import networks
from ddcodec.datasets.base import (
    Dataset,
    Pixels,
    TrainingMeasure,
    TrainingStatistics,
    images_per_chunk,
)
from ddcodec.datasets.streamed.images import StreamedImages

RowReader = Callable[[Tensor], Tensor]
"""rows int64 M → images uint8 M×C×H×W on a device"""


@dataclass(frozen=True)
class TrainingPart:
    """Hold the training images of a dataset without the validation tenth, if one is held out.

    Attributes:
        pixels: uint8 N×C×H×W, in memory unless the dataset is larger than its cache may be.
        labels: int64 N.
        num_classes: Labels are below it.
        mean: Per channel, of pixels scaled to [0, 1].
        std: Per channel, of pixels scaled to [0, 1].
        fingerprint: Hex SHA-256 of images and labels.
    """

    pixels: Pixels
    labels: Tensor
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str

    @classmethod
    def of(cls, dataset: Dataset) -> TrainingPart:
        """Take the training part of a dataset, split as every stage splits it."""
        rows, _ = dataset.split_rows()
        return cls._of(dataset, rows, dataset.training)

    @classmethod
    def of_rows(cls, dataset: Dataset, rows: NDArray[np.int64]) -> TrainingPart:
        """Take some of the training images of a dataset, in the order of `rows`."""
        return cls._of(dataset, rows, None)

    @classmethod
    def _of(
        cls, dataset: Dataset, rows: NDArray[np.int64], known: TrainingStatistics | None
    ) -> TrainingPart:
        train, labels = dataset.train.images, dataset.train.labels[rows]
        pixels: Pixels
        if isinstance(train, StreamedImages):
            known = known or training_statistics(train.chosen(rows), labels)
            pixels = train.chosen(rows, known.fingerprint)
        else:
            pixels = np.ascontiguousarray(train[rows])
            known = training_statistics(pixels, labels)
        return cls(
            pixels,
            torch.from_numpy(labels),
            dataset.num_classes,
            known.mean,
            # A channel that never varies is all mean; any positive deviation does.
            tuple(max(value, 1 / 255) for value in known.std),
            known.fingerprint,
        )

    @property
    def images(self) -> Tensor:
        """Return all images, uint8 N×C×H×W, in memory."""
        return torch.from_numpy(np.asarray(self.pixels))

    def reader(self, device: torch.device) -> RowReader:
        """Return what brings images to a device; see `row_reader`."""
        return row_reader(self.pixels, device)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Return (C, H, W)."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    def facts(self) -> dict[str, Any]:
        """Return what networks trained on it depend on, as JSON has it."""
        return {
            "fingerprint": self.fingerprint,
            "image_shape": list(self.image_shape),
            "num_classes": self.num_classes,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @property
    def coded_normalisation(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return mean and deviation of each channel in 1/256, as a header has them."""
        mean = tuple(round(256 * value) for value in self.mean)
        return mean, tuple(max(1, round(256 * value)) for value in self.std)

    def seen(self, rows: Tensor, device: torch.device) -> Tensor:
        """Return some images as networks see them: normalised float32 on a device."""
        return networks.normalise(self._read(rows).to(device), self.mean, self.std)

    def _read(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(self.pixels[rows.numpy()])


def row_reader(pixels: Pixels, device: torch.device) -> RowReader:
    """Return what brings images to a device.

    Those in memory go there once, all of them; others when they are asked for.
    """
    if isinstance(pixels, StreamedImages):
        return lambda rows: torch.from_numpy(pixels[rows.cpu().numpy()]).to(device)
    images = torch.from_numpy(np.require(pixels, requirements="W")).to(device)
    return lambda rows: images[rows.to(device)]


def training_statistics(images: Pixels, labels: NDArray[np.integer]) -> TrainingStatistics:
    """Measure training images uint8 N×C×H×W with labels N, some at a time."""
    return _measured(images, labels).statistics()


def training_fingerprint(images: Pixels, labels: NDArray[np.integer]) -> str:
    """Return a hex SHA-256 of training images uint8 N×C×H×W and their labels N.

    It is known of a training part whose images are not in memory.
    """
    if isinstance(images, StreamedImages) and images.fingerprint is not None:
        return images.fingerprint
    return _measured(images, labels).fingerprint()


def _measured(images: Pixels, labels: NDArray[np.integer]) -> TrainingMeasure:
    measure = TrainingMeasure(images.shape, labels)
    step = images_per_chunk(images.shape)
    for start in range(0, len(images), step):
        measure.add(images[start : start + step])
    return measure

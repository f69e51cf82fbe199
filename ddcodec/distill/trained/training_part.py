"""The part of a dataset that distillation may see, ready to train networks on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec import networks
from ddcodec.datasets.base import CHUNK_BYTES, Dataset, normalisation, split_validation


@dataclass(frozen=True)
class TrainingPart:
    """Hold the training images of a dataset without the validation tenth.

    Attributes:
        images: uint8 N×C×H×W.
        labels: int64 N.
        num_classes: Labels are below it.
        mean: Per channel, of pixels scaled to [0, 1].
        std: Per channel, of pixels scaled to [0, 1].
        fingerprint: Hex SHA-256 of images and labels.
    """

    images: Tensor
    labels: Tensor
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str

    @classmethod
    def of(cls, dataset: Dataset) -> TrainingPart:
        """Take the training part of a dataset, split as every stage splits it."""
        rows, _ = split_validation(dataset.train.labels)
        return cls.of_rows(dataset, rows)

    @classmethod
    def of_rows(cls, dataset: Dataset, rows: NDArray[np.int64]) -> TrainingPart:
        """Take some of the training images of a dataset, in the order of `rows`."""
        images = np.ascontiguousarray(dataset.train.images[rows])
        labels = dataset.train.labels[rows]
        mean, std = normalisation(images)
        return cls(
            torch.from_numpy(images),
            torch.from_numpy(labels),
            dataset.num_classes,
            tuple(float(value) for value in mean),
            # A channel that never varies is all mean; any positive deviation does.
            tuple(max(float(value), 1 / 255) for value in std),
            training_fingerprint(images, labels),
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Return (C, H, W)."""
        channels, height, width = self.images.shape[1:]
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
        return networks.normalise(self.images[rows].to(device), self.mean, self.std)


def training_fingerprint(images: NDArray[np.uint8], labels: NDArray[np.integer]) -> str:
    """Return a hex SHA-256 of training images uint8 N×C×H×W and their labels N."""
    digest = hashlib.sha256(f"{images.shape}".encode())
    digest.update(labels.astype("<i8").tobytes())
    step = max(1, CHUNK_BYTES // max(1, int(np.prod(images.shape[1:]))))
    for start in range(0, len(images), step):
        digest.update(images[start : start + step].tobytes())
    return digest.hexdigest()

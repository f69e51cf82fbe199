"""What a dataset is, and the few questions every stage asks of one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ddcodec.errors import DataError

# One chunk of pixels held as wide integers while counting: 8 MiB of bytes becomes 64 MiB.
CHUNK_BYTES = 8 * 2**20


class Pixels(Protocol):
    """Images uint8 N×C×H×W: an array, or what decodes those that are asked for.

    Numbers, slices, rows and masks select images; `np.asarray` brings all of them into memory.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Return N×C×H×W."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> NDArray[np.uint8]: ...

    def __array__(self) -> NDArray[Any]: ...


@dataclass(frozen=True)
class ImageSplit:
    """Hold the images of one split with their labels.

    Attributes:
        images: uint8, N×C×H×W, C is 1 or 3; often memory-mapped and then read-only, or decoded
            when asked for.
        labels: int64, N, each in [0, num_classes).
    """

    images: Pixels
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class TrainingStatistics:
    """What is known of the training part, which is `train` without the validation part.

    Attributes:
        mean: of each channel, of pixels scaled to [0, 1].
        std: their population standard deviation.
        fingerprint: see `training_fingerprint`.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str


@dataclass(frozen=True)
class Dataset:
    """Hold a classification dataset of equally sized images.

    Attributes:
        name: what the user called it.
        class_names: one name per class; a label is an index into them.
        train: the images to distill.
        test: held-out images of the same shape, or None where the source has no split.
        fingerprint: hex SHA-256 of the class names, pixels and labels, so the same content has
            the same fingerprint on every machine, however it was packed.
        notes: sentences on what was left out or decided when it was read.
        training: where it was measured already, since that takes reading all images.
        holds_out: whether a tenth of the training images is kept from learning, to validate on.
    """

    name: str
    class_names: tuple[str, ...]
    train: ImageSplit
    test: ImageSplit | None
    fingerprint: str
    notes: tuple[str, ...] = ()
    training: TrainingStatistics | None = None
    holds_out: bool = True

    def holding_out(self, holds_out: bool) -> Dataset:
        """Return the same dataset, of which all training images are learned from, or not all."""
        if holds_out == self.holds_out:
            return self
        return replace(self, holds_out=holds_out, training=None)

    def split_rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of `train` to learn from and to validate on; see `split_validation`."""
        if self.holds_out:
            return split_validation(self.train.labels)
        return np.arange(len(self.train), dtype=np.int64), np.empty(0, dtype=np.int64)

    @property
    def num_classes(self) -> int:
        """Return the number of classes."""
        return len(self.class_names)

    @property
    def channels(self) -> int:
        """Return C: 1 for grey images, 3 for RGB."""
        return int(self.train.images.shape[1])

    @property
    def height(self) -> int:
        """Return H in pixels."""
        return int(self.train.images.shape[2])

    @property
    def width(self) -> int:
        """Return W in pixels."""
        return int(self.train.images.shape[3])


def images_per_chunk(shape: tuple[int, ...]) -> int:
    """Return how many of the images N×C×H×W are gone through at a time."""
    return max(1, CHUNK_BYTES // max(1, int(np.prod(shape[1:]))))


def content_fingerprint(class_names: tuple[str, ...], splits: Mapping[str, ImageSplit]) -> str:
    """Return the hex SHA-256 of class names and of the splits, `train` first."""
    digest = hashlib.sha256(json.dumps(class_names).encode())
    for name, split in splits.items():
        digest.update(f"{name} {split.images.shape}".encode())
        digest.update(split.labels.astype("<i8").tobytes())
        step = images_per_chunk(split.images.shape)
        for start in range(0, len(split), step):
            digest.update(split.images[start : start + step].tobytes())
    return digest.hexdigest()


def class_counts(labels: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """Count the images of each class.

    `labels` is N in [0, num_classes); returns int64, num_classes. Raises DataError for a label
    out of range.
    """
    if len(labels) and (labels.min() < 0 or labels.max() >= num_classes):
        raise DataError(
            f"labels run from {labels.min()} to {labels.max()}, but {num_classes} classes need "
            f"labels from 0 to {num_classes - 1}; check the labels."
        )
    return np.bincount(labels, minlength=num_classes).astype(np.int64)


def rows_of_classes(labels: NDArray[np.int64], num_classes: int) -> list[NDArray[np.int64]]:
    """Return the rows of each class, rising, int64, in one pass however many classes.

    Raises DataError for a label out of range.
    """
    ends = np.cumsum(class_counts(labels, num_classes))
    order = np.argsort(labels, kind="stable").astype(np.int64)
    return np.split(order, ends[:-1])


def split_validation(
    labels: NDArray[np.int64], fraction: float = 0.1, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split indices into training and validation ones, class by class.

    `labels` is N, `fraction` in (0, 1) is the share of each class that goes to validation and
    `seed` is at least 0. Returns (training, validation), both sorted int64 indices into
    `labels`, together a partition of range(N). A class of two or more images gives at least
    one to each side; a lone image stays in training. The outcome depends on nothing but the
    arguments. Raises DataError for a fraction or seed out of range.
    """
    if not 0.0 < fraction < 1.0:
        raise DataError(f"the validation fraction is {fraction}; choose one between 0 and 1.")
    if seed < 0:
        raise DataError(f"the split seed is {seed}; choose 0 or more.")
    validation = np.zeros(len(labels), dtype=bool)
    num_classes = int(labels.max()) + 1 if len(labels) else 1
    for label, members in enumerate(rows_of_classes(labels, num_classes)):
        if len(members) < 2:
            continue
        taken = min(max(round(len(members) * fraction), 1), len(members) - 1)
        # Raw PCG64 words never change between NumPy releases; `permutation` is free to.
        keys = np.random.PCG64([seed, label]).random_raw(len(members))
        validation[members[np.argsort(keys, kind="stable")[:taken]]] = True
    return (
        np.flatnonzero(~validation).astype(np.int64),
        np.flatnonzero(validation).astype(np.int64),
    )


def has_validation_part(dataset: Dataset) -> bool:
    """Tell whether any class has a second image, so that one can be held back, and is."""
    return dataset.holds_out and bool(
        class_counts(dataset.train.labels, dataset.num_classes).max() > 1
    )


def normalisation(images: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure the mean and standard deviation of each channel.

    `images` is N×C×H×W; returns two float64 arrays of shape C, of images / 255 (population
    standard deviation, 0 for a constant channel). Exact: it counts pixel values, a chunk of
    images at a time. Raises DataError for no images.
    """
    histogram = ChannelHistogram(images.shape[1])
    for start in range(0, len(images), images_per_chunk(images.shape)):
        histogram.add(images[start : start + images_per_chunk(images.shape)])
    return histogram.mean_and_std()


class ChannelHistogram:
    """Count the values of each channel of images that pass by, for their mean and deviation."""

    def __init__(self, channels: int) -> None:
        self._counts = np.zeros((channels, 256), dtype=np.int64)

    def add(self, images: NDArray[np.uint8]) -> None:
        """Count images, N×C×H×W."""
        for channel, counts in enumerate(self._counts):
            counts += np.bincount(images[:, channel].ravel(), minlength=256)

    def mean_and_std(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what `normalisation` does; raises DataError where nothing was counted."""
        if not self._counts.sum():
            raise DataError("there are no images to normalise over; the split is empty.")
        values = np.arange(256, dtype=np.float64) / 255.0
        weights = self._counts / self._counts.sum(axis=1, keepdims=True)
        mean = weights @ values
        variance = (weights * (values[None, :] - mean[:, None]) ** 2).sum(axis=1)
        return mean, np.sqrt(variance)


class TrainingMeasure:
    """Measure a training part as its images pass by, in their order.

    Args:
        shape: N×C×H×W.
        labels: N.
    """

    def __init__(self, shape: tuple[int, ...], labels: NDArray[np.integer]) -> None:
        self._digest = hashlib.sha256(f"{shape}".encode())
        self._digest.update(labels.astype("<i8").tobytes())
        self._histogram = ChannelHistogram(shape[1])

    def add(self, images: NDArray[np.uint8]) -> None:
        """Take the next images, N×C×H×W."""
        self._digest.update(np.ascontiguousarray(images).data)
        self._histogram.add(images)

    def statistics(self) -> TrainingStatistics:
        """Return what was measured; raises DataError where nothing was."""
        mean, std = self._histogram.mean_and_std()
        return TrainingStatistics(tuple(mean.tolist()), tuple(std.tolist()), self.fingerprint())

    def fingerprint(self) -> str:
        """Return the hex SHA-256 of shape, labels and images."""
        return self._digest.hexdigest()

"""A training set of any kind that commands can look at: a `.ddc`, or images of other methods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddcodec.errors import DataError
from ddcodec.format.limits import DecodeLimits
from ddcodec.inspection import decode_file, file_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ddcodec.datasets import Dataset

DDC_SUFFIX = ".ddc"


@dataclass(frozen=True)
class TrainingImages:
    """A training set and what it takes on the disk.

    Attributes:
        path: where it came from.
        images: N × C × H × W, uint8.
        labels: N, int64, below `num_classes`.
        num_classes: classes it knows of.
        class_names: of all classes, or None where it names none.
        normalisation: mean and deviation per channel, of pixels scaled to [0, 1], or None.
        num_bytes: size of the file, or of all files in the folder.
    """

    path: Path
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    num_classes: int
    class_names: tuple[str, ...] | None
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None
    num_bytes: int

    @property
    def kind(self) -> str:
        """What it is: `.ddc`, `folder` or the suffix of the file."""
        return "folder" if self.path.is_dir() else self.path.suffix


def read_training_set(path: Path, limits: DecodeLimits) -> TrainingImages:
    """Read a `.ddc`, an image folder or archive, an `.npz` or a `.pt`.

    Raises:
        DataError: if it cannot be read.
        FormatError: if a `.ddc` is no valid file within the limits.
    """
    from ddcodec.datasets.source import user_path

    path = user_path(path)
    if path.suffix == DDC_SUFFIX or not path.exists():
        decoded = decode_file(path, limits)
        header = decoded.header
        mean = tuple(value / 256 for value in header.mean)
        std = tuple(value / 256 for value in header.std)
        return TrainingImages(
            path,
            decoded.images,
            decoded.labels,
            header.num_classes,
            decoded.content.class_names or None,
            (mean, std),
            file_bytes(decoded.container),
        )
    from ddcodec.datasets.given_images import load_given_images

    given = load_given_images(path)
    train = given.dataset.train
    names = given.dataset.class_names if given.has_names else None
    return TrainingImages(
        path,
        train.images,
        train.labels,
        given.dataset.num_classes,
        names,
        given.normalisation,
        _size_on_disk(path),
    )


def labels_of_dataset(training: TrainingImages, real: Dataset) -> NDArray[np.int64]:
    """Return the labels as a dataset numbers its classes.

    Raises:
        DataError: if the images are not of that dataset.
    """
    import numpy as np

    shape = training.images.shape[1:]
    of_data = (real.channels, real.height, real.width)
    if shape != of_data:
        raise DataError(
            f"'{training.path}' holds images of {_shape(shape)}, '{real.name}' has "
            f"{_shape(of_data)}; compare what was made of the dataset."
        )
    names = training.class_names
    if names is None:
        if training.num_classes > real.num_classes:
            raise DataError(
                f"'{training.path}' holds {training.num_classes} classes, '{real.name}' has "
                f"{real.num_classes}; compare what was made of the dataset."
            )
        return training.labels
    if names == real.class_names:
        return training.labels
    # Of a set with a part of the classes, images of the others are never recognised.
    strange = [name for name in names if name not in real.class_names or names.count(name) > 1]
    if strange:
        raise DataError(
            f"'{training.path}' has a class '{strange[0]}' that is not one of '{real.name}'; "
            "compare what was made of the dataset."
        )
    order = np.array([real.class_names.index(name) for name in names], dtype=np.int64)
    return order[training.labels]


def _size_on_disk(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _shape(sizes: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in sizes)

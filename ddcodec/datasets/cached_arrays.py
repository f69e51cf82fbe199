"""The arrays of a dataset as they lie in its folder of the cache."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.errors import DataError


def allocate_split(
    folder: Path, split: str, shape: tuple[int, int, int, int], limit_bytes: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Create the arrays of one split, `train` or `test`, for a builder to fill.

    Returns zeroed writable arrays: images, uint8, of `shape` N×C×H×W, mapped to a file in
    `folder`, and labels, int64, N, likewise. Raises DataError where the disk has no room, or where
    the images of all splits take more than `limit_bytes`.
    """
    count_bytes = int(np.prod(shape, dtype=np.int64))
    check_limit(folder, limit_bytes, count_bytes)
    images = allocate_images(folder, split, shape)
    with writing(folder):
        labels = np.lib.format.open_memmap(
            labels_file(folder, split), mode="w+", dtype=np.int64, shape=shape[:1]
        )
    return images, labels


def allocate_images(
    folder: Path, split: str, shape: tuple[int, int, int, int]
) -> NDArray[np.uint8]:
    """Create the images of one split alone; see `allocate_split`."""
    needed = int(np.prod(shape, dtype=np.int64)) + 8 * shape[0]
    with writing(folder):
        free = shutil.disk_usage(folder).free
        # Checked first because writing to a mapped file on a full disk kills the process.
        if free < needed + 2**20:
            raise DataError(
                f"the decoded images need {needed / 2**20:.0f} MiB but '{folder.parent}' has "
                f"{free / 2**20:.0f} MiB left; set DDC_CACHE to a folder with more room."
            )
        return np.lib.format.open_memmap(
            images_file(folder, split), mode="w+", dtype=np.uint8, shape=shape
        )


def check_limit(folder: Path, limit_bytes: int | None, more_bytes: int = 0) -> None:
    """Raise DataError where the images in `folder` and `more_bytes` are above the limit."""
    arrays = (np.load(path, mmap_mode="r") for path in folder.glob("*_images.npy"))
    taken = more_bytes + sum(array.nbytes for array in arrays)
    if limit_bytes is not None and taken > limit_bytes:
        raise DataError(
            f"the decoded images take {megabytes(taken)}, above the cache limit of "
            f"{megabytes(limit_bytes)}, and images from such a source are kept all or not at all; "
            "raise --cache-limit, or bring them as a folder, .zip, .tar, Parquet or WebDataset."
        )


def megabytes(num_bytes: int) -> str:
    """Return bytes as people read them."""
    return f"{num_bytes / 1e6:,.1f} MB"


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn a failure to write into the DataError that says how to move the cache."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(
            f"cannot write the cache in '{place}' ({reason}); set DDC_CACHE to a writable folder."
        ) from error


def images_file(folder: Path, split: str) -> Path:
    """Return where the images of a split lie."""
    return folder / f"{split}_images.npy"


def labels_file(folder: Path, split: str) -> Path:
    """Return where the labels of a split lie."""
    return folder / f"{split}_labels.npy"

"""Load arrays from an .npz: the pairs of names that people save images and labels under."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.cache import allocate_split, cached_dataset, keep_notes
from ddcodec.datasets.in_arrays.arrays import as_splits
from ddcodec.datasets.in_arrays.stored_array import read_array
from ddcodec.datasets.request import LoadRequest
from ddcodec.datasets.trees.resize import ImageSize
from ddcodec.datasets.trees.source import source_exists, source_key
from ddcodec.errors import DataError

NPZ_SUFFIX = ".npz"

TRAIN_NAMES = (
    ("x_train", "y_train"),
    ("train_images", "train_labels"),
    ("images", "labels"),
    ("x", "y"),
    ("X", "y"),
)
TEST_NAMES = (
    ("x_test", "y_test"), ("test_images", "test_labels"),
    ("x_val", "y_val"), ("val_images", "val_labels"),
)  # fmt: skip
CLASS_NAMES = "class_names"

# What the standard library and NumPy raise on damaged, encrypted or hostile files.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    OSError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    OverflowError,
)


def is_npz_name(path: Path) -> bool:
    """Tell whether the file name ends like an .npz."""
    return path.name.lower().endswith(NPZ_SUFFIX)


def load_npz(request: LoadRequest) -> Dataset:
    """Load the images and labels of an .npz.

    The first pair that is there of TRAIN_NAMES and of TEST_NAMES counts, `class_names` too; see
    `arrays.as_pixels` for shapes and ranges. Nothing in the file is unpickled. Raises DataError.
    """
    path = request.data
    assert path is not None
    if not source_exists(path) or path.is_dir():
        raise DataError(f"'{path}' does not exist as a file; check the path of the .npz.")
    key = hashlib.sha256(f"npz 2 {source_key(path)} at {request.size}".encode()).hexdigest()

    def build(folder: Path) -> tuple[str, ...]:
        return _read(path, folder, request.size)

    return cached_dataset(request.name, key, request.cache_dir, build)


def _read(path: Path, folder: Path, size: ImageSize | None) -> tuple[str, ...]:
    """Write the splits of the .npz to arrays in `folder`; returns the class names."""
    with _opened(path) as archive:
        held = _names(archive)
        train = _first_pair(archive, TRAIN_NAMES)
        if train is None:
            pairs = ", ".join(f"{images} and {labels}" for images, labels in TRAIN_NAMES)
            found = ", ".join(sorted(held)) or "nothing"
            raise DataError(f"'{path}' holds {found}; expected one of the pairs {pairs}.")
        given = {"train": _read_pair(archive, train)}
        test = _first_pair(archive, TEST_NAMES)
        if test is not None:
            given["test"] = _read_pair(archive, test)
        class_names = None
        if CLASS_NAMES in _names(archive):
            class_names = [str(name) for name in read_array(archive, CLASS_NAMES).ravel()]
    splits, names, notes = as_splits(given, class_names, size)
    for name, split in splits.items():
        images, labels = allocate_split(folder, name, split.images.shape)
        np.copyto(images, split.images)
        labels[:] = split.labels
    keep_notes(folder, (*notes, *_unused(test, held)))
    return names


def _unused(test: tuple[str, str] | None, held: set[str]) -> Iterator[str]:
    """Yield sentences on held-out images that are not tested on."""
    for images, _ in TEST_NAMES:
        if images in held and test is not None and images != test[0]:
            yield f"{images} is not used: {test[0]} is what is tested on."


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError:
        raise
    except PermissionError as error:
        raise DataError(f"cannot read '{path}': permission denied; check its mode.") from error
    except _BROKEN as error:
        raise DataError(
            f"'{path}' is not a readable .npz of numbers (broken, truncated or with objects "
            "inside); save it again with numpy.savez."
        ) from error


def _names(archive: zipfile.ZipFile) -> set[str]:
    return {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}


def _first_pair(
    archive: zipfile.ZipFile, pairs: tuple[tuple[str, str], ...]
) -> tuple[str, str] | None:
    return next((pair for pair in pairs if _names(archive).issuperset(pair)), None)


def _read_pair(
    archive: zipfile.ZipFile, pair: tuple[str, str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    images, labels = (read_array(archive, name) for name in pair)
    return images, labels

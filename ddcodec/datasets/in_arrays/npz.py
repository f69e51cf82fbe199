"""Load arrays from an .npz: the pairs of names that people save images and labels under."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import CHUNK_BYTES, Dataset
from ddcodec.datasets.cache import cached_dataset, keep_notes
from ddcodec.datasets.cached_arrays import allocate_split
from ddcodec.datasets.claims import check_claim
from ddcodec.datasets.in_arrays.array_labels import MOST_CLASSES, settle_labels
from ddcodec.datasets.in_arrays.arrays import (
    WORDS,
    as_pixels,
    channels_first,
    check_alike,
    check_count,
    check_sides,
    fitted,
)
from ddcodec.datasets.in_arrays.stored_array import StoredArray, find_array
from ddcodec.datasets.request import LoadRequest
from ddcodec.datasets.trees.resize import ImageSize
from ddcodec.datasets.trees.source import source_exists, source_key
from ddcodec.datasets.wording import some_of
from ddcodec.datasets.zip_file import opened_zip
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
    MemoryError,
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
        return _read(path, folder, request.size, request.cache_limit)

    return cached_dataset(request.name, key, request.cache_dir, build, request.cache_limit)


def _read(
    path: Path, folder: Path, size: ImageSize | None, limit_bytes: int | None
) -> tuple[str, ...]:
    """Write the splits of the .npz to arrays in `folder`; returns the class names."""
    with _opened(path) as archive:
        held = _names(archive)
        train = _first_pair(held, TRAIN_NAMES)
        if train is None:
            pairs = ", ".join(f"{images} and {labels}" for images, labels in TRAIN_NAMES)
            found = some_of(sorted(held)) or "nothing"
            raise DataError(f"'{path}' holds {found}; expected one of the pairs {pairs}.")
        used = {"train": train}
        test = _first_pair(held, TEST_NAMES)
        if test is not None:
            used["test"] = test
        stored = {
            split: (find_array(archive, images), find_array(archive, labels))
            for split, (images, labels) in used.items()
        }
        names = find_array(archive, CLASS_NAMES) if CLASS_NAMES in held else None
        _check_bytes(path, [array for pair in stored.values() for array in pair], names)
        shapes = {split: _shape(images, split, size) for split, (images, _) in stored.items()}
        for split, (images, labels) in stored.items():
            check_count(images.shape[0], labels.shape, WORDS[split])
        check_alike([shape[1:] for shape in shapes.values()])
        settled = settle_labels(
            {split: labels.read() for split, (_, labels) in stored.items()},
            None if names is None else [str(name) for name in names.read().ravel()],
        )
        for split, (images, _) in stored.items():
            to_images, to_labels = allocate_split(folder, split, shapes[split], limit_bytes)
            to_labels[:] = settled.splits[split]
            _write_images(to_images, images, WORDS[split], size)
    keep_notes(folder, (*settled.notes, *_unused(test, held)))
    return settled.class_names


def _check_bytes(path: Path, arrays: list[StoredArray], names: StoredArray | None) -> None:
    """Raise DataError where arrays claim far more than the file stores."""
    if names is not None and prod(names.shape) > MOST_CLASSES:
        raise DataError(
            f"'{path}' has {prod(names.shape):,} class names; there may be {MOST_CLASSES:,}."
        )
    claimed = sum(array.num_bytes for array in (*arrays, *([] if names is None else [names])))
    remedy = "save it again with numpy.savez, which does not compress"
    check_claim(claimed, path.stat().st_size, f"'{path}'", remedy)


def _shape(images: StoredArray, split: str, size: ImageSize | None) -> tuple[int, int, int, int]:
    """Return N×C×H×W as the images will be."""
    claimed = np.broadcast_to(np.zeros((), images.dtype), images.shape)
    count, channels, height, width = channels_first(claimed, WORDS[split]).shape
    if size is not None:
        return count, channels, size.height, size.width
    check_sides((count, channels, height, width), WORDS[split])
    return count, channels, height, width


def _write_images(
    room: NDArray[np.uint8], images: StoredArray, what: str, size: ImageSize | None
) -> None:
    """Read images some at a time, whatever their number."""
    done = 0
    for part in images.parts(CHUNK_BYTES):
        room[done : done + len(part)] = fitted(as_pixels(part, what), what, size)
        done += len(part)


def _unused(test: tuple[str, str] | None, held: set[str]) -> Iterator[str]:
    """Yield sentences on held-out images that are not tested on."""
    for images, _ in TEST_NAMES:
        if images in held and test is not None and images != test[0]:
            yield f"{images} is not used: {test[0]} is what is tested on."


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with opened_zip(path) as archive:
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


def _first_pair(held: set[str], pairs: tuple[tuple[str, str], ...]) -> tuple[str, str] | None:
    return next((pair for pair in pairs if held.issuperset(pair)), None)

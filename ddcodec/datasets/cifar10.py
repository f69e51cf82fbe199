"""CIFAR-10: the official archives, their folders, a download, or any image tree."""

from __future__ import annotations

import hashlib
import pickle
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset, ImageSplit
from ddcodec.datasets.cache import allocate_split, cached_dataset
from ddcodec.datasets.download import check_sha256, download
from ddcodec.datasets.folder import load_folder
from ddcodec.datasets.layout import is_image_name
from ddcodec.datasets.restricted_pickle import load_arrays
from ddcodec.datasets.source import check_source, source_key, source_members
from ddcodec.errors import DataError

CLASS_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
PYTHON_ARCHIVE = "cifar-10-python.tar.gz"
OFFICIAL_SHA256 = {
    PYTHON_ARCHIVE: "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
}

SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_BATCH = re.compile(r"(data_batch_[1-5]|test_batch)(\.bin)?")
_TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST_BATCH = "test_batch"


def load_cifar10(name: str, data: Path | None, cache_dir: Path) -> Dataset:
    """Load CIFAR-10, downloading the official archive when `data` is None.

    `data` may be the official Python or binary archive, either one extracted, or an image
    tree, which goes to `load_folder`. Files with an official name must have the official
    SHA-256. Raises DataError for damaged or missing data, and without a network says where
    the archive belongs.
    """
    if data is None:
        # The checksum says what the arrays are, so they outlive the downloaded archive.
        key = OFFICIAL_SHA256[PYTHON_ARCHIVE]
    else:
        check_source(data)
        if not _holds_batches(data):
            return load_folder(name, data, cache_dir)
        key = source_key(data)

    def build(folder: Path) -> tuple[str, ...]:
        source = data
        if source is None:
            target = cache_dir / "downloads" / PYTHON_ARCHIVE
            source = download(URL, OFFICIAL_SHA256[PYTHON_ARCHIVE], target)
        elif source.is_file() and source.name in OFFICIAL_SHA256:
            check_sha256(source, OFFICIAL_SHA256[source.name])
        return _decode_batches(source, folder)

    if data is not None and not _holds_batches(data):
        return load_folder(name, data, cache_dir)
    return cached_dataset(
        name, hashlib.sha256(f"cifar10 {key}".encode()).hexdigest(), cache_dir, build
    )


def _holds_batches(source: Path) -> bool:
    """Tell official batches from an image tree by the first telling file."""
    for member in source_members(source):
        file_name = member.path.rpartition("/")[2]
        if not member.is_folder and _BATCH.fullmatch(file_name):
            return True
        if not member.is_folder and is_image_name(file_name):
            return False
    return False


def _decode_batches(source: Path, folder: Path) -> tuple[str, ...]:
    """Write the official batches at `source` to arrays in `folder`; returns the class names."""
    batches: dict[str, ImageSplit] = {}
    for member in source_members(source):
        match = _BATCH.fullmatch(member.path.rpartition("/")[2])
        if match is not None and not member.is_folder:
            decode = _decode_binary if match[2] else _decode_pickle
            batches[match[1]] = decode(member.read(), member.path)
    for split, names in (("train", _TRAIN_BATCHES), ("test", (_TEST_BATCH,))):
        for name in names:
            if name not in batches:
                raise DataError(f"'{source}' lacks the CIFAR-10 file {name}; download {URL} again.")
        total = sum(len(batches[name]) for name in names)
        images, labels = allocate_split(folder, split, (total, *SHAPE))
        np.concatenate([batches[name].images for name in names], out=images)
        np.concatenate([batches[name].labels for name in names], out=labels)
    return CLASS_NAMES


def _decode_pickle(data: bytes, path: str) -> ImageSplit:
    """Decode a batch of the Python archive: a pickled dict with b'data' and b'labels'."""
    try:
        batch = load_arrays(data)
    except pickle.UnpicklingError as error:
        raise _damaged(path) from error
    if not isinstance(batch, dict):
        raise _damaged(path)
    pixels, labels = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        raise _damaged(path)
    if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
        raise _damaged(path)
    return _checked(pixels, np.array(labels, dtype=np.int64), path)


def _decode_binary(data: bytes, path: str) -> ImageSplit:
    """Decode a batch of the binary archive: records of a label byte and 3072 pixel bytes."""
    if len(data) % (1 + _PIXELS):
        raise _damaged(path)
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, 1 + _PIXELS)
    return _checked(records[:, 1:], records[:, 0].astype(np.int64), path)


def _checked(pixels: NDArray[np.uint8], labels: NDArray[np.int64], path: str) -> ImageSplit:
    """Return a batch as images, after checking that N×3072 pixels have N labels below 10."""
    if pixels.shape != (len(labels), _PIXELS) or not len(labels):
        raise _damaged(path)
    if labels.min() < 0 or labels.max() >= len(CLASS_NAMES):
        raise _damaged(path)
    return ImageSplit(pixels.reshape(-1, *SHAPE), labels)


def _damaged(path: str) -> DataError:
    return DataError(f"'{path}' is not a valid CIFAR-10 batch; download {URL} again.")

"""SVHN, cropped digits: the official MATLAB files, or a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddcodec.datasets.base import Dataset, ImageSplit
from ddcodec.datasets.named import NamedDataset
from ddcodec.datasets.request import LoadRequest, OnProgress
from ddcodec.datasets.sources.download import OfficialFile
from ddcodec.datasets.sources.matlab import read_matlab
from ddcodec.datasets.sources.official import (
    OfficialFormat,
    load_official,
    named_members,
    write_split,
)
from ddcodec.errors import DataError

# Lengths and SHA-256 as published in the loader of TensorFlow Datasets.
_URL = "http://ufldl.stanford.edu/housenumbers/"
FILES = (
    OfficialFile(
        "svhn/train_32x32.mat",
        f"{_URL}train_32x32.mat",
        "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        182_040_794,
    ),
    OfficialFile(
        "svhn/test_32x32.mat",
        f"{_URL}test_32x32.mat",
        "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        64_275_384,
    ),
)

CLASS_NAMES = tuple("0123456789")
SHAPE = (3, 32, 32)
_SPLITS = {"train_32x32.mat": "train", "test_32x32.mat": "test"}


def _decode(source: Path, folder: Path, on_progress: OnProgress) -> tuple[str, ...]:
    """Write both files at `source` to arrays in `folder`."""
    written = set()
    for split, member in named_members(source, _SPLITS.get):
        images = _read_split(member.read(), member.path)
        write_split(folder, split, np.asarray(images.images), images.labels)
        written.add(split)
    for name, split in _SPLITS.items():
        if split not in written:
            raise DataError(f"'{source}' lacks the SVHN file {name}; download {_URL}{name} again.")
    return CLASS_NAMES


def _read_split(data: bytes, path: str) -> ImageSplit:
    """Read `X`, uint8, 32×32×3×N, and `y`, N×1, in which 10 stands for the digit 0."""
    arrays = read_matlab(data, path, ("X", "y"))
    pixels, labels = arrays["X"], arrays["y"].ravel()
    if pixels.dtype != np.uint8 or pixels.shape != (32, 32, 3, len(labels)):
        raise _strange(path)
    if not np.all(np.isin(labels, np.arange(1, 11))):
        raise _strange(path)
    images = pixels.astype(np.uint8, copy=False).transpose(3, 2, 0, 1)
    return ImageSplit(images, labels.astype(np.int64) % 10)


def _strange(path: str) -> DataError:
    return DataError(
        f"'{path}' does not hold 32x32 images with digits for labels; download it from {_URL} "
        "again."
    )


FORMAT = OfficialFormat("svhn", FILES, lambda path: path.rpartition("/")[2] in _SPLITS, _decode)


def load_svhn(request: LoadRequest) -> Dataset:
    """Load the cropped digits of SVHN, RGB, 32×32; see `load_official`."""
    return load_official(request, FORMAT)


SVHN = NamedDataset(load_svhn, 10, SHAPE, 73_257, 26_032, _URL, FILES)

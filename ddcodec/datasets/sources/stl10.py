"""STL-10: the labelled part of the official binary archive, or a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.named import NamedDataset
from ddcodec.datasets.request import LoadRequest, OnProgress
from ddcodec.datasets.sources.download import OfficialFile
from ddcodec.datasets.sources.official import (
    OfficialFormat,
    load_official,
    named_members,
    write_split,
)
from ddcodec.errors import DataError

CLASS_NAMES = (
    "airplane", "bird", "car", "cat", "deer",
    "dog", "horse", "monkey", "ship", "truck",
)  # fmt: skip

# Length and SHA-256 as published in the loader of TensorFlow Datasets. Of the 2.6 GB the
# unlabelled images, which are not read, are the most.
FILE = OfficialFile(
    "stl10_binary.tar.gz",
    "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
    "f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",
    2_640_397_119,
)

SHAPE = (3, 96, 96)
_PIXELS = 3 * 96 * 96
_FILES = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")


def _name_of(file_name: str) -> str | None:
    return file_name if file_name in _FILES else None


def _decode(source: Path, folder: Path, on_progress: OnProgress) -> tuple[str, ...]:
    """Write the four files at `source` to arrays in `folder`."""
    arrays: dict[str, NDArray[np.uint8]] = {}
    for name, member in named_members(source, _name_of):
        arrays[name] = np.frombuffer(member.read(), dtype=np.uint8)
    for name in _FILES:
        if name not in arrays:
            raise DataError(f"'{source}' lacks the STL-10 file {name}; download {FILE.url} again.")
    for split in ("train", "test"):
        pixels, labels = arrays[f"{split}_X.bin"], arrays[f"{split}_y.bin"]
        if not len(labels) or len(pixels) != _PIXELS * len(labels):
            raise _damaged(source, f"{split}_X.bin")
        # Labels count from 1, and every channel is stored column by column.
        if labels.min() < 1 or labels.max() > len(CLASS_NAMES):
            raise _damaged(source, f"{split}_y.bin")
        write_split(folder, split, pixels.reshape(-1, *SHAPE).transpose(0, 1, 3, 2), labels - 1)
    return CLASS_NAMES


def _damaged(source: Path, name: str) -> DataError:
    return DataError(
        f"the STL-10 file {name} in '{source}' is damaged or truncated; download {FILE.url} again."
    )


FORMAT = OfficialFormat(
    "stl10", (FILE,), lambda path: _name_of(path.rpartition("/")[2]) is not None, _decode
)


def load_stl10(request: LoadRequest) -> Dataset:
    """Load the labelled images of STL-10, RGB, 96×96; see `load_official`."""
    return load_official(request, FORMAT)


STL10 = NamedDataset(
    load_stl10, 10, SHAPE, 5_000, 8_000, "https://cs.stanford.edu/~acoates/stl10/", (FILE,)
)

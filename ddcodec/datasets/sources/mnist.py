"""MNIST and Fashion-MNIST: four idx files, packed or not, or a download."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.named import NamedDataset
from ddcodec.datasets.request import LoadRequest, OnProgress
from ddcodec.datasets.sources.download import OfficialFile
from ddcodec.datasets.sources.idx import read_idx
from ddcodec.datasets.sources.official import (
    OfficialFormat,
    load_official,
    named_members,
    write_split,
)
from ddcodec.errors import DataError

FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

_MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_TRAIN_IMAGES, _TRAIN_LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
_TEST_IMAGES, _TEST_LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"

# Lengths and SHA-256 as published in the loaders of TensorFlow Datasets.
MNIST_FILES = tuple(
    OfficialFile(f"mnist/{name}", _MNIST_URL + name, sha256, num_bytes)
    for name, sha256, num_bytes in (
        (
            _TRAIN_IMAGES,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            9_912_422,
        ),
        (_TRAIN_LABELS, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
        (
            _TEST_IMAGES,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            1_648_877,
        ),
        (_TEST_LABELS, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
    )
)
FASHION_FILES = tuple(
    OfficialFile(f"fashion-mnist/{name}", _FASHION_URL + name, sha256, num_bytes)
    for name, sha256, num_bytes in (
        (
            _TRAIN_IMAGES,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            26_421_880,
        ),
        (_TRAIN_LABELS, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
        (
            _TEST_IMAGES,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            4_422_102,
        ),
        (_TEST_LABELS, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
    )
)

_FILE = re.compile(r"(train|t10k)-(images|labels)[-.]idx[13]-ubyte(?:\.gz)?")
_SPLITS = {"train": "train", "t10k": "test"}


def _name_of(file_name: str) -> str | None:
    """Return `train images` and the like for an official file, or None."""
    found = _FILE.fullmatch(file_name)
    return f"{_SPLITS[found[1]]} {found[2]}" if found else None


@dataclass(frozen=True)
class IdxFiles:
    """Say what four idx files hold.

    Attributes:
        class_names: in the order of the labels.
        url: where to get the files again.
    """

    class_names: tuple[str, ...]
    url: str

    def decode(self, source: Path, folder: Path, on_progress: OnProgress) -> tuple[str, ...]:
        """Write the four files at `source` to arrays in `folder`."""
        arrays: dict[str, NDArray[np.uint8]] = {}
        for name, member in named_members(source, _name_of):
            dimensions = 3 if name.endswith("images") else 1
            arrays[name] = read_idx(member.read(), member.path, dimensions)
        for split in ("train", "test"):
            for name in (f"{split} images", f"{split} labels"):
                if name not in arrays:
                    raise DataError(
                        f"'{source}' lacks the file of {name}; download all four from {self.url}."
                    )
            images, labels = arrays[f"{split} images"], arrays[f"{split} labels"]
            if len(images) != len(labels) or labels.max() >= len(self.class_names):
                raise DataError(
                    f"the {split} labels in '{source}' do not belong to its {split} images; "
                    f"download all four files from {self.url} again."
                )
            write_split(folder, split, images[:, None], labels)
        return self.class_names


MNIST_FORMAT = OfficialFormat(
    "mnist",
    MNIST_FILES,
    lambda path: _name_of(path.rpartition("/")[2]) is not None,
    IdxFiles(tuple("0123456789"), _MNIST_URL).decode,
)
FASHION_FORMAT = OfficialFormat(
    "fashion-mnist",
    FASHION_FILES,
    lambda path: _name_of(path.rpartition("/")[2]) is not None,
    IdxFiles(FASHION_CLASSES, _FASHION_URL).decode,
)


def load_mnist(request: LoadRequest) -> Dataset:
    """Load MNIST, grey, 28×28; see `load_official`."""
    return load_official(request, MNIST_FORMAT)


def load_fashion_mnist(request: LoadRequest) -> Dataset:
    """Load Fashion-MNIST, grey, 28×28; see `load_official`."""
    return load_official(request, FASHION_FORMAT)


_SHAPE = (1, 28, 28)
MNIST = NamedDataset(
    load_mnist, 10, _SHAPE, 60_000, 10_000, "http://yann.lecun.com/exdb/mnist/", MNIST_FILES
)
FASHION_MNIST = NamedDataset(
    load_fashion_mnist,
    10,
    _SHAPE,
    60_000,
    10_000,
    "https://github.com/zalandoresearch/fashion-mnist",
    FASHION_FILES,
)

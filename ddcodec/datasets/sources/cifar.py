"""CIFAR-10 and CIFAR-100: the official archives, their folders, a download, or any images."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset, ImageSplit
from ddcodec.datasets.named import NamedDataset
from ddcodec.datasets.request import LoadRequest, OnProgress
from ddcodec.datasets.sources.download import OfficialFile
from ddcodec.datasets.sources.official import (
    OfficialFormat,
    load_official,
    named_members,
    write_split,
)
from ddcodec.datasets.sources.plain_pickle import PickledArray, load_plain
from ddcodec.errors import DataError

CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

CIFAR100_CLASSES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
    "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle",
    "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch",
    "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox",
    "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom",
    "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
    "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake",
    "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle",
    "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip

# SHA-256 as published in the loaders of TensorFlow Datasets and Keras.
CIFAR10_FILE = OfficialFile(
    "cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    170_498_071,
)
CIFAR10_BINARY = {
    "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
}
CIFAR100_FILE = OfficialFile(
    "cifar-100-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    169_001_437,
)
CIFAR100_BINARY = {
    "cifar-100-binary.tar.gz": "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
}

SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class CifarBatches:
    """Say how the batches of a dataset look.

    Attributes:
        title: the dataset's name in messages.
        class_names: in the order of the labels.
        train: file names of the training batches; binary ones end in `.bin`.
        test: file name of the test batch.
        label_key: of the pickled dicts.
        label_bytes: of a binary record; the last one counts, one before is a coarse label.
        url: where to get them again.
    """

    title: str
    class_names: tuple[str, ...]
    train: tuple[str, ...]
    test: str
    label_key: bytes
    label_bytes: int
    url: str

    def name_of(self, file_name: str) -> str | None:
        """Return the batch that a file holds, or None."""
        name = file_name.removesuffix(".bin")
        return name if name in (*self.train, self.test) else None

    def decode(self, source: Path, folder: Path, on_progress: OnProgress) -> tuple[str, ...]:
        """Write the official batches at `source` to arrays in `folder`."""
        batches: dict[str, ImageSplit] = {}
        for name, member in named_members(source, self.name_of):
            decode = self._from_binary if member.path.endswith(".bin") else self._from_pickle
            batches[name] = decode(member.read(), member.path)
        for split, names in (("train", self.train), ("test", (self.test,))):
            for name in names:
                if name not in batches:
                    raise DataError(
                        f"'{source}' lacks the {self.title} file {name}; download {self.url} again."
                    )
            images = np.concatenate([batches[name].images for name in names])
            labels = np.concatenate([batches[name].labels for name in names])
            write_split(folder, split, images, labels)
        return self.class_names

    def _from_pickle(self, data: bytes, path: str) -> ImageSplit:
        """Decode a batch of the Python archive: a pickled dict with pixels and labels."""
        try:
            batch = load_plain(data)
        except pickle.UnpicklingError as error:
            raise self._damaged(path) from error
        if not isinstance(batch, dict):
            raise self._damaged(path)
        array, labels = batch.get(b"data"), batch.get(self.label_key)
        pixels = array.as_bytes() if isinstance(array, PickledArray) else None
        if pixels is None:
            raise self._damaged(path)
        if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
            raise self._damaged(path)
        try:
            numbers = np.array(labels, dtype=np.int64)
        except OverflowError as error:
            raise self._damaged(path) from error
        return self._checked(pixels, numbers, path)

    def _from_binary(self, data: bytes, path: str) -> ImageSplit:
        """Decode a batch of the binary archive: records of label bytes and 3072 pixel bytes."""
        record_bytes = self.label_bytes + _PIXELS
        if len(data) % record_bytes:
            raise self._damaged(path)
        records = np.frombuffer(data, dtype=np.uint8).reshape(-1, record_bytes)
        labels = records[:, self.label_bytes - 1].astype(np.int64)
        return self._checked(records[:, self.label_bytes :], labels, path)

    def _checked(
        self, pixels: NDArray[np.uint8], labels: NDArray[np.int64], path: str
    ) -> ImageSplit:
        """Return a batch as images, after checking that N×3072 pixels have N known labels."""
        if pixels.shape != (len(labels), _PIXELS) or not len(labels):
            raise self._damaged(path)
        if labels.min() < 0 or labels.max() >= len(self.class_names):
            raise self._damaged(path)
        return ImageSplit(pixels.reshape(-1, *SHAPE), labels)

    def _damaged(self, path: str) -> DataError:
        return DataError(f"'{path}' is not a valid {self.title} batch; download {self.url} again.")


CIFAR10_BATCHES = CifarBatches(
    title="CIFAR-10",
    class_names=CIFAR10_CLASSES,
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    label_key=b"labels",
    label_bytes=1,
    url=CIFAR10_FILE.url,
)
CIFAR100_BATCHES = CifarBatches(
    title="CIFAR-100",
    class_names=CIFAR100_CLASSES,
    train=("train",),
    test="test",
    label_key=b"fine_labels",
    label_bytes=2,
    url=CIFAR100_FILE.url,
)
CIFAR10_FORMAT = OfficialFormat(
    "cifar10",
    (CIFAR10_FILE,),
    lambda path: CIFAR10_BATCHES.name_of(path.rpartition("/")[2]) is not None,
    CIFAR10_BATCHES.decode,
    CIFAR10_BINARY,
)
CIFAR100_FORMAT = OfficialFormat(
    "cifar100",
    (CIFAR100_FILE,),
    lambda path: CIFAR100_BATCHES.name_of(path.rpartition("/")[2]) is not None,
    CIFAR100_BATCHES.decode,
    CIFAR100_BINARY,
)


def load_cifar10(request: LoadRequest) -> Dataset:
    """Load CIFAR-10 from its Python or binary archive; see `load_official`."""
    return load_official(request, CIFAR10_FORMAT)


def load_cifar100(request: LoadRequest) -> Dataset:
    """Load CIFAR-100 with its fine labels from its Python or binary archive."""
    return load_official(request, CIFAR100_FORMAT)


_HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
CIFAR10 = NamedDataset(load_cifar10, 10, SHAPE, 50_000, 10_000, _HOME, (CIFAR10_FILE,))
CIFAR100 = NamedDataset(load_cifar100, 100, SHAPE, 50_000, 10_000, _HOME, (CIFAR100_FILE,))

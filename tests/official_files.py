"""Small files in exactly the formats that datasets are published in."""

from __future__ import annotations

import gzip
import pickle
import struct
import zlib

import numpy as np
from image_trees import Files, encode, python_batches
from numpy.typing import NDArray
from PIL import Image

from ddcodec.datasets.sources.imagenet import FRUIT, MEOW, NETTE, SQUAWK, WOOF, YELLOW
from ddcodec.datasets.sources.tiny_imagenet import SHAPE as TINY_SHAPE

TRAIN, TEST = 20, 10
"""Images of the splits made here."""


def pixels(count: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return made-up pixels."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def labels(count: int, num_classes: int = 10) -> NDArray[np.uint8]:
    """Return 3, 4, … modulo the number of classes."""
    return ((np.arange(count) + 3) % num_classes).astype(np.uint8)


# CIFAR-100


def cifar100_python() -> Files:
    """Return both batches as in cifar-100-python.tar.gz."""
    files = {"cifar-100-python/meta": pickle.dumps({b"fine_label_names": []}, protocol=2)}
    for seed, (name, count) in enumerate((("train", TRAIN), ("test", TEST))):
        batch = {
            b"filenames": [b"x.png"] * count,
            b"fine_labels": labels(count, 100).tolist(),
            b"coarse_labels": [0] * count,
            b"data": pixels(count, 3072, seed=seed),
        }
        files[f"cifar-100-python/{name}"] = pickle.dumps(batch, protocol=2)
    return files


def cifar100_binary() -> Files:
    """Return both batches as in cifar-100-binary.tar.gz: coarse label, fine label, pixels."""
    files = {"cifar-100-binary/fine_label_names.txt": b"apple\n"}
    for seed, (name, count) in enumerate((("train", TRAIN), ("test", TEST))):
        both = np.stack([np.full(count, 19, np.uint8), labels(count, 100)], axis=1)
        records = np.hstack([both, pixels(count, 3072, seed=seed)])
        files[f"cifar-100-binary/{name}.bin"] = records.tobytes()
    return files


# MNIST


def idx(array: NDArray[np.uint8]) -> bytes:
    """Return an array as an idx file: magic, dimensions, values."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist_files(suffix: str = ".gz") -> Files:
    """Return the four files, packed unless `suffix` is empty."""
    files = {}
    for seed, (name, count) in enumerate((("train", TRAIN), ("t10k", TEST))):
        files[f"{name}-images-idx3-ubyte"] = idx(pixels(count, 28, 28, seed=seed))
        files[f"{name}-labels-idx1-ubyte"] = idx(labels(count))
    if not suffix:
        return files
    return {name + suffix: gzip.compress(data, mtime=0) for name, data in files.items()}


# SVHN

_DTYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 9, "i8": 12}


def element(kind: int, data: bytes, order: str = "<", small: bool = False) -> bytes:
    """Return a MATLAB data element, padded; `small` puts up to four bytes into the tag."""
    if small:
        assert len(data) <= 4
        return struct.pack(order + "I", len(data) << 16 | kind) + data.ljust(4, b"\0")
    return struct.pack(order + "II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(
    name: str,
    values: NDArray[np.number],
    array_class: int,
    order: str = "<",
    shape: tuple[int, ...] | None = None,
    flags: int = 0,
) -> bytes:
    """Return a MATLAB array; `values` are stored column by column in the type they have."""
    kind = _DTYPES[values.dtype.str[1:]]
    sides = values.shape if shape is None else shape
    parts = (
        element(6, struct.pack(order + "II", array_class | flags, 0), order),
        element(5, struct.pack(f"{order}{len(sides)}i", *sides), order),
        element(1, name.encode(), order, small=len(name) <= 4),
        element(kind, values.astype(values.dtype.newbyteorder(order)).tobytes("F"), order),
    )
    return element(14, b"".join(parts), order)


def matlab_file(*elements: bytes, packed: bool = True, order: str = "<") -> bytes:
    """Return a MATLAB 5 file; packed elements are zlib streams, as MATLAB writes them."""
    text = b"MATLAB 5.0 MAT-file, made by a test".ljust(124)
    head = text + (b"\x00\x01IM" if order == "<" else b"\x01\x00MI")
    if not packed:
        return head + b"".join(elements)
    streams = (zlib.compress(part) for part in elements)
    return head + b"".join(struct.pack(order + "II", 15, len(s)) + s for s in streams)


def svhn_split(count: int, seed: int, packed: bool = True) -> bytes:
    """Return `X`, 32×32×3×N, and `y`, N×1 doubles stored as bytes, 10 for the digit 0."""
    images = pixels(count, 3, 32, 32, seed=seed).transpose(2, 3, 1, 0)
    digits = labels(count)
    ten_for_zero = np.where(digits == 0, 10, digits).astype(np.uint8)[:, None]
    return matlab_file(matrix("X", images, 9), matrix("y", ten_for_zero, 6), packed=packed)


def svhn_files(packed: bool = True) -> Files:
    """Return both files of cropped digits."""
    return {
        "train_32x32.mat": svhn_split(TRAIN, 0, packed),
        "test_32x32.mat": svhn_split(TEST, 1, packed),
    }


# STL-10


def stl10_files() -> Files:
    """Return the files of stl10_binary.tar.gz: channels column by column, labels from 1."""
    files = {"stl10_binary/class_names.txt": b"airplane\n", "stl10_binary/unlabeled_X.bin": b"?"}
    for seed, (name, count) in enumerate((("train", TRAIN), ("test", TEST))):
        images = pixels(count, 3, 96, 96, seed=seed)
        files[f"stl10_binary/{name}_X.bin"] = images.transpose(0, 1, 3, 2).tobytes()
        files[f"stl10_binary/{name}_y.bin"] = (labels(count) + 1).tobytes()
    return files


# Tiny-ImageNet

TINY_IDS = ("n01443537", "n01629819")


def tiny_imagenet_files() -> Files:
    """Return two classes of three training, two validation and two unlabelled images."""
    root = "tiny-imagenet-200"
    words = "n01443537\tgoldfish, Carassius auratus\nn01629819\tEuropean fire salamander\n"
    files = {
        f"{root}/wnids.txt": "\n".join(reversed(TINY_IDS)).encode(),
        f"{root}/words.txt": words.encode(),
    }
    lines = []
    for label, name in enumerate(TINY_IDS):
        for index in range(3):
            files[f"{root}/train/{name}/images/{name}_{index}.JPEG"] = tiny_jpeg(60 * label + index)
        files[f"{root}/train/{name}/{name}_boxes.txt"] = b"x.JPEG\t0\t0\t1\t1\n"
    for index in range(4):
        files[f"{root}/val/images/val_{index}.JPEG"] = tiny_jpeg(120 + 20 * index)
        lines.append(f"val_{index}.JPEG\t{TINY_IDS[(index + 1) % 2]}\t0\t0\t1\t1")
        files[f"{root}/test/images/test_{index}.JPEG"] = tiny_jpeg(0)
    files[f"{root}/val/val_annotations.txt"] = "\n".join(lines).encode()
    return files


def tiny_jpeg(value: int) -> bytes:
    """Return a grey-looking RGB JPEG of the size of Tiny-ImageNet."""
    return encode(Image.new("RGB", TINY_SHAPE[1:], (value,) * 3), "JPEG")


# ImageNet

SUBSETS = {
    "imagenette128": NETTE,
    "imagewoof128": WOOF,
    "imagefruit128": FRUIT,
    "imageyellow128": YELLOW,
    "imagemeow128": MEOW,
    "imagesquawk128": SQUAWK,
}


def imagenet_files(classes: dict[str, str]) -> Files:
    """Return two training and one validation image per class, and some of another class."""
    files = {}
    for label, name in enumerate((*classes, "n09999999")):
        for index in range(2):
            image = Image.new("RGB", (150 + index, 130), (20 * label, index, 0))
            files[f"train/{name}/{name}_{index}.JPEG"] = encode(image, "PNG")
        image = Image.new("L", (140, 160), 20 * label)
        files[f"val/{name}/ILSVRC2012_val_{label:08}.JPEG"] = encode(image, "JPEG")
    return files


OFFICIAL: dict[str, Files] = {
    "mnist": mnist_files(),
    "fashion-mnist": mnist_files(),
    "svhn": svhn_files(),
    "cifar10": python_batches(),
    "cifar100": cifar100_python(),
    "stl10": stl10_files(),
    "tiny-imagenet": tiny_imagenet_files(),
    **{name: imagenet_files(classes) for name, classes in SUBSETS.items()},
}
"""Official files of every named dataset but the glyphs, which have none."""

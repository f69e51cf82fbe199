"""MNIST, SVHN, CIFAR-100, STL-10, Tiny-ImageNet and ImageNet in their official formats."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_trees import (
    Files,
    encode,
    flat,
    write_folder,
    write_source,
    write_tar,
    write_zip,
)
from official_files import (
    OFFICIAL,
    SUBSETS,
    TEST,
    TINY_IDS,
    TRAIN,
    cifar100_binary,
    cifar100_python,
    element,
    idx,
    imagenet_files,
    labels,
    matlab_file,
    matrix,
    mnist_files,
    pixels,
    stl10_files,
    svhn_files,
    tiny_imagenet_files,
)
from PIL import Image

from ddcodec.datasets import Dataset, load_dataset
from ddcodec.datasets.sources.cifar import CIFAR100_CLASSES
from ddcodec.datasets.sources.idx import read_idx
from ddcodec.datasets.sources.imagenet import NETTE
from ddcodec.datasets.sources.matlab import read_matlab
from ddcodec.errors import DataError


def load(name: str, tmp_path: Path, files: Files, kind: str = "") -> Dataset:
    """Load files brought as a folder or archive."""
    return load_dataset(name, write_source(tmp_path, kind, files), tmp_path / "cache")


def assert_holds(dataset: Dataset, shape: tuple[int, int, int], num_classes: int = 10) -> None:
    """Check for the made-up pixels and labels in both splits."""
    assert dataset.test is not None
    for seed, (split, count) in enumerate(((dataset.train, TRAIN), (dataset.test, TEST))):
        expected = pixels(count, *shape, seed=seed)
        assert np.array_equal(split.images, expected)
        assert split.labels.tolist() == labels(count, num_classes).tolist()


# What the official files hold


@pytest.mark.parametrize("kind", ["", ".tar.gz"])
@pytest.mark.parametrize("files", [cifar100_python(), cifar100_binary()], ids=["python", "binary"])
def test_cifar100(tmp_path: Path, files: Files, kind: str) -> None:
    """Both formats give the fine labels and their hundred names."""
    dataset = load("cifar100", tmp_path, files, kind)
    assert_holds(dataset, (3, 32, 32), 100)
    assert dataset.class_names[:2] == ("apple", "aquarium_fish")
    assert len(set(dataset.class_names)) == 100
    assert list(CIFAR100_CLASSES) == sorted(CIFAR100_CLASSES)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("kind", ["", ".zip"])
def test_mnist(tmp_path: Path, name: str, suffix: str, kind: str) -> None:
    """Four files, packed or not, are grey images with one channel."""
    dataset = load(name, tmp_path, mnist_files(suffix), kind)
    assert_holds(dataset, (1, 28, 28))
    first = {"mnist": "0", "fashion-mnist": "T-shirt/top"}
    assert dataset.class_names[0] == first[name]


@pytest.mark.parametrize("packed", [True, False])
def test_svhn(tmp_path: Path, packed: bool) -> None:
    """Packed and plain MATLAB files; the label 10 is the digit 0."""
    dataset = load("svhn", tmp_path, svhn_files(packed))
    assert_holds(dataset, (3, 32, 32))
    assert 0 in dataset.train.labels


def test_stl10(tmp_path: Path) -> None:
    """Channels are stored column by column, labels count from 1."""
    assert_holds(load("stl10", tmp_path, stl10_files(), ".tar.gz"), (3, 96, 96))


@pytest.mark.parametrize("kind", ["", ".zip"])
def test_tiny_imagenet(tmp_path: Path, kind: str) -> None:
    """Validation images with their annotations are the test images, sorted by class."""
    dataset = load("tiny-imagenet", tmp_path, tiny_imagenet_files(), kind)
    assert dataset.class_names == ("goldfish", "European fire salamander")
    assert dataset.test is not None
    assert dataset.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 60, 61, 62]
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.test.images[:, 0, 0, 0].tolist() == [140, 180, 120, 160]
    assert dataset.test.labels.tolist() == [0, 0, 1, 1]


def test_tiny_imagenet_without_words(tmp_path: Path) -> None:
    """Without the list of words, classes are called by their WordNet ids."""
    files = tiny_imagenet_files()
    del files["tiny-imagenet-200/words.txt"]
    assert load("tiny-imagenet", tmp_path, files).class_names == TINY_IDS


@pytest.mark.parametrize("name", SUBSETS)
def test_imagenet_subset(tmp_path: Path, name: str) -> None:
    """Ten classes of the tree, in the order of the list, scaled and cut to 128×128."""
    classes = SUBSETS[name]
    assert len(classes) == len(set(classes.values())) == 10
    dataset = load(name, tmp_path, imagenet_files(classes))
    assert dataset.class_names == tuple(classes.values())
    assert dataset.train.images.shape == (20, 3, 128, 128)
    assert dataset.train.images[:, 0, 64, 64].tolist() == [20 * i for i in range(10) for _ in "ab"]
    assert dataset.train.labels.tolist() == [i for i in range(10) for _ in "ab"]
    assert dataset.test is not None
    assert dataset.test.labels.tolist() == list(range(10))
    assert np.allclose(dataset.test.images[:, 0, 64, 64], np.arange(0, 200, 20), atol=1)


def test_imagenet_reads_no_other_class(tmp_path: Path) -> None:
    """What is not in the list is not even looked at, and may be anything."""
    source = write_source(tmp_path, "", imagenet_files(NETTE))
    first = load_dataset("imagenette128", source, tmp_path / "cache")
    (source / "train/n09999999/n09999999_0.JPEG").write_bytes(b"junk")
    again = load_dataset("imagenette128", source, tmp_path / "cache")
    assert again.fingerprint == first.fingerprint
    assert len(list((tmp_path / "cache" / "datasets").iterdir())) == 1


def test_imagenet_at_another_size(tmp_path: Path) -> None:
    """A size that is asked for wins over 128."""
    source = write_source(tmp_path, ".zip", imagenet_files(NETTE))
    dataset = load_dataset("imagenette128", source, tmp_path / "cache", size=64)
    assert dataset.train.images.shape == (20, 3, 64, 64)


@pytest.mark.parametrize("name", OFFICIAL)
def test_image_trees_and_npz_under_any_name(tmp_path: Path, name: str) -> None:
    """Under every name but the subsets of ImageNet an image tree works, under all an .npz."""
    arrays = tmp_path / "arrays.npz"
    np.savez(arrays, images=pixels(3, 1, 8, 8), labels=np.arange(3))
    assert load_dataset(name, arrays, tmp_path / "cache").num_classes == 3
    tree = write_zip(tmp_path / "tree.zip", {"ant/1.png": flat(1), "bee/1.png": flat(2)})
    if name in SUBSETS:
        with pytest.raises(
            DataError, match=r"holds no images of the classes of .* train/n\d{8} \("
        ):
            load_dataset(name, tree, tmp_path / "cache")
        return
    assert load_dataset(name, tree, tmp_path / "cache").class_names == ("ant", "bee")


# What is wrong with files

_X = "train-images-idx3-ubyte"
_Y = "train-labels-idx1-ubyte"
_MAT = "train_32x32.mat"
_STL = "stl10_binary/train"
_TINY = "tiny-imagenet-200"
_DIGITS = np.full((2, 1), 3, dtype=np.uint8)
_IMAGES = pixels(2, 32, 32, 3).transpose(1, 2, 3, 0)


def _svhn(*elements: bytes) -> Files:
    return {_MAT: matlab_file(*elements)}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("mnist", {f"{_X}.gz": b""}, "idx3-ubyte.gz' is not a valid idx file"),
        ("mnist", {f"{_X}.gz": mnist_files()[f"{_X}.gz"][:-9]}, "is not a valid idx file"),
        ("mnist", {f"{_X}.gz": mnist_files("")[_X][:-1]}, "is not a valid idx file"),
        ("mnist", {f"{_X}.gz": mnist_files("")[_X] + b"x"}, "is not a valid idx file"),
        ("mnist", {f"{_X}.gz": mnist_files("")[_Y]}, "is not a valid idx file"),
        ("mnist", {f"{_X}.gz": b"\0\0\x0d\3" + mnist_files("")[_X][4:]}, "is not a valid idx file"),
        ("mnist", {f"{_Y}.gz": idx(labels(19))}, "train labels in .* do not belong"),
        ("mnist", {f"{_Y}.gz": idx(labels(20) + 9)}, "train labels in .* do not belong"),
        ("mnist", {f"{_Y}.gz": None}, "lacks the file of train labels"),
        ("svhn", {_MAT: b""}, "train_32x32.mat' is not a valid MATLAB 5 file"),
        ("svhn", {_MAT: svhn_files()[_MAT][:-20]}, "is not a valid MATLAB 5 file"),
        ("svhn", {_MAT: b"MATLAB 4" + bytes(200)}, "is not a valid MATLAB 5 file"),
        ("svhn", _svhn(matrix("X", _IMAGES, 9)), "holds no numeric array 'y'"),
        (
            "svhn",
            _svhn(matrix("X", _IMAGES, 9), matrix("y", _DIGITS[:1], 9)),
            "does not hold 32x32 images",
        ),
        (
            "svhn",
            _svhn(matrix("X", _IMAGES, 9), matrix("y", _DIGITS + 8, 9)),
            "does not hold 32x32 images",
        ),
        (
            "svhn",
            _svhn(matrix("X", _IMAGES.astype("f8"), 6), matrix("y", _DIGITS, 9)),
            "does not hold 32x32 images",
        ),
        ("svhn", {"test_32x32.mat": None}, "lacks the SVHN file test_32x32.mat"),
        ("stl10", {f"{_STL}_X.bin": bytes(27647)}, "train_X.bin .* is damaged or truncated"),
        ("stl10", {f"{_STL}_y.bin": b""}, "train_X.bin .* is damaged or truncated"),
        ("stl10", {f"{_STL}_y.bin": bytes(20)}, "train_y.bin .* is damaged or truncated"),
        ("stl10", {f"{_STL}_y.bin": b"\x0b" * 20}, "train_y.bin .* is damaged or truncated"),
        ("stl10", {f"{_STL}_y.bin": None}, "lacks the STL-10 file train_y.bin"),
        ("cifar100", {"cifar-100-python/train": b"junk"}, "train' is not a valid CIFAR-100 batch"),
        ("cifar100", {"cifar-100-python/test": None}, "lacks the CIFAR-100 file test"),
        ("tiny-imagenet", {f"{_TINY}/val/val_annotations.txt": None}, "lacks val/val_annotations"),
        (
            "tiny-imagenet",
            {f"{_TINY}/val/val_annotations.txt": b"val_0.JPEG\tn00000000\t0"},
            "line 1 of val_annotations.txt",
        ),
        (
            "tiny-imagenet",
            {f"{_TINY}/val/val_annotations.txt": b"val_0.JPEG\tn01443537\t0"},
            r"val_1.JPEG' is not in val_annotations.txt",
        ),
        (
            "tiny-imagenet",
            {f"{_TINY}/val/images/val_2.JPEG": b"junk"},
            "val_2.JPEG' is not a readable image",
        ),
        (
            "imagenette128",
            {f"train/n01440764/n01440764_{i}.JPEG": None for i in range(2)},
            r"class 'n01440764' .* is in val/ but not in train/",
        ),
        (
            "imagenette128",
            {name: None for name in imagenet_files(NETTE) if "n03888257" in name},
            r"lacks the class n03888257 \(parachute\)",
        ),
        (
            "imagenette128",
            {"val/ILSVRC2012_val_00000001.JPEG": flat(1)},
            r"val_00000001.JPEG' is in no class folder; sort the validation images",
        ),
        (
            "imagenette128",
            {"train/n01440764/bomb.JPEG": encode(Image.new("1", (2**13 + 1, 2**13)), "PNG")},
            "bomb.JPEG' has far too many pixels",
        ),
    ],
)
def test_damaged_files(
    tmp_path: Path, name: str, changes: dict[str, bytes | None], message: str
) -> None:
    """Whatever is wrong with an official file is one sentence, and nothing stays in the cache."""
    files = {**OFFICIAL[name], **changes}
    kept = {path: data for path, data in files.items() if data is not None}
    with pytest.raises(DataError, match=message) as caught:
        load(name, tmp_path, kept)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_absurdly_long_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is longer than any official one is not read."""
    from ddcodec.datasets.sources import official

    monkeypatch.setattr(official, "MAX_MEMBER_BYTES", 100)
    source = write_tar(tmp_path / "x.tar", stl10_files())
    with pytest.raises(DataError, match=r"train_X.bin' has 552,960 bytes, more than any"):
        load_dataset("stl10", source, tmp_path / "cache")


# The readers by themselves


@pytest.mark.parametrize(
    "sides", [(2**32 - 1, 28, 28), (2**24, 512, 512), (1, 513, 1), (0, 28, 28)]
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_idx_claims_too_much(sides: tuple[int, int, int], is_packed: bool) -> None:
    """Dimensions are refused before anything is unpacked."""
    data = struct.pack(">BBBB3I", 0, 0, 8, 3, *sides) + bytes(100)
    with pytest.raises(DataError, match=r"'x' claims"):
        read_idx(gzip.compress(data) if is_packed else data, "x", 3)


def test_idx_does_not_unpack_more_than_it_claims() -> None:
    """A packed file that goes on for a gigabyte is refused after one byte too many."""
    packer = zlib.compressobj(wbits=31)
    data = packer.compress(idx(pixels(2, 4, 4)))
    data += b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
    with pytest.raises(DataError, match="not a valid idx file"):
        read_idx(data, "x", 3)


@given(st.binary(max_size=60), st.sampled_from([1, 3]))
def test_idx_of_anything(data: bytes, dimensions: int) -> None:
    """Any bytes are an array or a DataError."""
    for start in (b"", bytes((0, 0, 8, dimensions))):
        try:
            assert read_idx(start + data, "x", dimensions).ndim == dimensions
        except DataError as error:
            assert "'x'" in str(error)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [True, False])
def test_matlab_arrays(order: str, packed: bool) -> None:
    """Numbers in both byte orders, stored in smaller types than their class, by columns."""
    grid = np.array([[1, 2, 3], [4, 5, -6]], dtype=np.int16)
    elements = [
        matrix("skipped", np.ones((1, 1), np.uint8), 9, order, flags=0x0800),
        matrix("grid", grid, 6, order),
        matrix("long_name", grid.astype("f4"), 7, order),
    ]
    found = read_matlab(
        matlab_file(*elements, packed=packed, order=order), "x", ("grid", "long_name")
    )
    assert found["grid"].dtype == np.float64
    assert found["grid"].tolist() == [[1, 2, 3], [4, 5, -6]]
    assert found["long_name"].dtype == np.float32
    assert found["long_name"].tolist() == [[1, 2, 3], [4, 5, -6]]


_GRID = np.zeros((2, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "data",
    [
        matlab_file(matrix("x", _GRID, 9, shape=(2, 4))),
        matlab_file(matrix("x", _GRID, 9, shape=(2**31 - 1, 2**31 - 1))),
        matlab_file(matrix("x", _GRID, 9, shape=(-2, -3))),
        matlab_file(matrix("x", _GRID, 9, shape=(6,))),
        matlab_file(matrix("x", _GRID, 9, shape=(1,) * 7 + (2, 3))),
        matlab_file(matrix("x", _GRID, 4)),
        matlab_file(matrix("x", _GRID, 9, flags=0x0800)),
        matlab_file(element(14, b"")),
        matlab_file(element(14, element(6, bytes(7)))),
        matlab_file(matrix("x", _GRID, 9), packed=False)[:-8],
        matlab_file(struct.pack("<II", 14, 2**32 - 1)),
        matlab_file(matrix("x", _GRID, 9) + b"x"),
        matlab_file(packed=False) + struct.pack("<II", 15, 3) + b"abc",
        matlab_file(packed=False) + struct.pack("<II", 15, 2**31) + b"abc",
        matlab_file(packed=False) + b"abc",
    ],
)
def test_damaged_matlab_files(data: bytes) -> None:
    """Lies about sizes, classes and lengths are all one sentence."""
    with pytest.raises(DataError, match=r"'f.mat' is not a valid MATLAB 5 file"):
        read_matlab(data, "f.mat", ("x",))


@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_matlab_with_a_changed_byte(place: int, change: int, packed: bool) -> None:
    """A file with any byte changed is an array of the same values, another, or a DataError."""
    data = bytearray(matlab_file(matrix("x", _GRID, 9), packed=packed))
    data[place % len(data)] ^= change
    try:
        assert read_matlab(bytes(data), "f.mat", ("x",))["x"].size == 6
    except DataError as error:
        assert "'f.mat'" in str(error)


def test_folders_of_downloads_are_read_like_any(tmp_path: Path) -> None:
    """Four files in a folder need no archive around them."""
    source = write_folder(tmp_path / "mnist", mnist_files())
    assert len(load_dataset("mnist", source, tmp_path / "cache").train) == TRAIN

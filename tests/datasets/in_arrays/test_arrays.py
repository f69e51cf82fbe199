"""Arrays in memory, in an .npz and in torch Datasets."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from ddcodec.datasets import Dataset, from_arrays, from_torch, load_dataset
from ddcodec.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 4, 5), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    "images",
    [
        IMAGES,
        IMAGES.transpose(0, 2, 3, 1),
        IMAGES.astype(np.int64),
        IMAGES / 255,
        (IMAGES / 255).astype(np.float32).transpose(0, 2, 3, 1),
    ],
)
@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None].astype(np.uint8)])
def test_every_layout_is_the_same_dataset(images: Any, labels: Any) -> None:
    """Channels first or last, whole or real numbers: the same pixels and fingerprint."""
    dataset = from_arrays(images, labels, images[:2], labels[:2])
    assert np.array_equal(dataset.train.images, IMAGES)
    assert dataset.train.labels.tolist() == LABELS.tolist()
    assert dataset.test is not None and np.array_equal(dataset.test.images, IMAGES[:2])
    assert dataset.class_names == ("0", "1", "2")
    reference = from_arrays(IMAGES, LABELS, IMAGES[:2], LABELS[:2])
    assert dataset.fingerprint == reference.fingerprint


def test_grey_arrays() -> None:
    """Images without a channel have one; names and a size may be given."""
    dataset = from_arrays(
        IMAGES[:, 0], LABELS, class_names=("a", "b", "c"), name="mine", size=(2, 3)
    )
    assert dataset.train.images.shape == (6, 1, 2, 3)
    assert (dataset.name, dataset.class_names, dataset.test) == ("mine", ("a", "b", "c"), None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((IMAGES[0, 0], LABELS), "are an array of 4x5; expected"),
        ((IMAGES[:, :2], LABELS), "are an array of 6x2x4x5; expected"),
        ((IMAGES[:0], LABELS[:0]), "are an array of 0x3x4x5; expected"),
        ((IMAGES.astype(str), LABELS), "are of type <U3; expected numbers"),
        ((IMAGES + 0.5, LABELS), "expected 0 to 1, so undo any normalisation"),
        ((IMAGES * np.nan, LABELS), "expected 0 to 1, so undo"),
        ((IMAGES.astype(int) - 300, LABELS), "expected 0 to 255, so undo"),
        ((IMAGES, LABELS[:5]), "6 training images but 5 training labels"),
        ((IMAGES, LABELS / 2), "labels are an array of 6 of type float64"),
        ((IMAGES, 1 - np.eye(6, dtype=int)), "labels are an array of 6x6 without a single 1"),
        ((IMAGES, LABELS - 1), "labels run from -1 to 1"),
        ((IMAGES, LABELS + 2**20), "labels run from 1048576"),
        ((IMAGES, LABELS, IMAGES), "test images need test labels"),
        ((IMAGES, LABELS, IMAGES[:, :1], LABELS), "have 1x4x5 and 3x4x5 values"),
        ((np.zeros((1, 600, 4)), LABELS[:1]), "have 600x4 pixels; .* --size N"),
    ],
)
def test_wrong_arrays(arguments: tuple[Any, ...], message: str) -> None:
    """What is wrong with arrays is one sentence."""
    with pytest.raises(DataError, match=message) as caught:
        from_arrays(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [("a", "b"), ("a", "a", "b")])
def test_wrong_class_names(names: tuple[str, ...]) -> None:
    """Names must be different, and one for each label."""
    with pytest.raises(DataError, match="2 different class names but labels up to 2"):
        from_arrays(IMAGES, LABELS, class_names=names)


# .npz


def _npz(tmp_path: Path, **arrays: Any) -> Path:
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    return tmp_path / "x.npz"


def _load(path: Path, **options: Any) -> Dataset:
    return load_dataset(str(path), cache_dir=path.parent / "cache", **options)


@pytest.mark.parametrize("train", [("x_train", "y_train"), ("train_images", "train_labels")])
@pytest.mark.parametrize("test", [("x_test", "y_test"), ("test_images", "test_labels"), None])
def test_npz(tmp_path: Path, train: tuple[str, str], test: tuple[str, str] | None) -> None:
    """The usual names are found, and give what the arrays in memory give."""
    arrays = dict(zip(train, (IMAGES, LABELS), strict=True))
    held_out = (IMAGES[:2], LABELS[:2]) if test else ()
    if test:
        arrays |= dict(zip(test, held_out, strict=True))
    dataset = _load(_npz(tmp_path, **arrays, mean=np.zeros(3)))
    assert dataset.name == "x"
    assert dataset.fingerprint == from_arrays(IMAGES, LABELS, *held_out).fingerprint
    assert isinstance(dataset.train.images, np.memmap)


def test_npz_of_a_decoded_file(tmp_path: Path) -> None:
    """What `ddc decode --format npz` writes is a dataset with its class names."""
    names = np.array(["ant", "bee", "cow"])
    columns = np.asfortranarray(IMAGES)
    path = _npz(tmp_path, images=columns, labels=LABELS, class_names=names)
    dataset = _load(path, size=3)
    assert dataset.class_names == ("ant", "bee", "cow")
    assert dataset.train.images.shape == (6, 3, 3, 3)
    assert np.array_equal(_load(path).train.images, IMAGES)


def test_large_images_in_an_npz(tmp_path: Path) -> None:
    """Images that are too large for the codec load at a size."""
    path = _npz(tmp_path, images=np.full((2, 600, 700), 7, np.uint8), labels=np.arange(2))
    with pytest.raises(DataError, match=r"600x700 pixels; .* --size N"):
        _load(path)
    assert _load(path, size=5).train.images.tolist() == [[[[7] * 5] * 5]] * 2


def _lying_npz(path: Path, header: dict[str, Any], data: bytes = b"") -> Path:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", buffer.getvalue() + data)
        archive.writestr("labels.npy", b"")
    return path


@pytest.mark.parametrize("shape", [(2**40, 3, 32, 32), (-1, 3, 4, 4), (1, 3, 4, 4), (2, 3, 4, 4)])
@pytest.mark.parametrize("descr", ["|u1", "|O", "<f8"])
def test_npz_that_lies(tmp_path: Path, shape: tuple[int, ...], descr: str) -> None:
    """A header that claims other data than there is, or objects, is refused unread."""
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    path = _lying_npz(tmp_path / "x.npz", header, bytes(50))
    with pytest.raises(DataError, match=r"is not a readable .npz of numbers"):
        _load(path)


@pytest.mark.parametrize("kept", [0, 10, 100, 0.5, 0.95])
def test_truncated_npz(tmp_path: Path, kept: float) -> None:
    """A file that is cut is refused, and nothing is left in the cache."""
    path = _npz(tmp_path, images=IMAGES, labels=LABELS)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if kept < 1 else int(kept)])
    with pytest.raises(DataError, match=r"is not a readable .npz of numbers"):
        _load(path)
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_npz_with_objects(tmp_path: Path) -> None:
    """Nothing is unpickled."""
    path = _npz(tmp_path, images=np.array([Path(), None]), labels=LABELS[:2])
    with pytest.raises(DataError, match="with objects inside"):
        _load(path)


def test_npz_of_other_names(tmp_path: Path) -> None:
    """What there is and what was expected are both named."""
    path = _npz(tmp_path, pictures=IMAGES, labels=LABELS)
    with pytest.raises(DataError, match=r"holds labels, pictures; expected .*x_train and y_train"):
        _load(path)
    with pytest.raises(DataError, match=r"missing.npz' does not exist"):
        load_dataset("mine", tmp_path / "missing.npz", tmp_path / "cache")


# torch


class Pairs:
    """A torch Dataset of whatever it is given."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


@pytest.mark.parametrize(
    "convert",
    [
        lambda pixels: Image.fromarray(pixels.transpose(1, 2, 0)),
        torch.from_numpy,
        lambda pixels: torch.from_numpy(pixels).float() / 255,
        lambda pixels: (torch.from_numpy(pixels) / 255).requires_grad_(),
        lambda pixels: pixels,
    ],
    ids=["PIL", "uint8", "float", "gradients", "NumPy"],
)
@pytest.mark.parametrize("label", [int, np.int64, torch.tensor])
def test_torch_datasets(convert: Any, label: Any) -> None:
    """Every kind of item gives the same dataset as the arrays."""
    items = [
        (convert(pixels), label(int(number))) for pixels, number in zip(IMAGES, LABELS, strict=True)
    ]
    dataset = from_torch(Pairs(*items), Pairs(*items[:2]), ["a", "b", "c"])
    reference = from_arrays(
        IMAGES, LABELS, IMAGES[:2], LABELS[:2], class_names=["a", "b", "c"], name="torch"
    )
    assert dataset.fingerprint == reference.fingerprint
    assert (dataset.name, dataset.class_names) == ("torch", ("a", "b", "c"))


def test_torch_tensor_dataset() -> None:
    """A real torch Dataset, of grey images without a channel."""
    tensors = TensorDataset(torch.from_numpy(IMAGES[:, 0]), torch.from_numpy(LABELS))
    dataset = from_torch(tensors)
    assert np.array_equal(dataset.train.images, IMAGES[:, :1])
    assert (dataset.test, dataset.class_names) == (None, ("0", "1", "2"))


def test_torch_dataset_with_classes_and_sizes() -> None:
    """Names come from `classes`, as torchvision has it; images of any size become one size."""
    pairs = Pairs((Image.new("L", (9, 5), 3), 0), (Image.new("L", (20, 40), 4), 1))
    pairs.classes = ["ant", "bee"]  # type: ignore[attr-defined]
    dataset = from_torch(pairs, size=4)
    assert dataset.class_names == ("ant", "bee")
    assert dataset.train.images.tolist() == [[[[3] * 4] * 4], [[[4] * 4] * 4]]
    with pytest.raises(DataError, match="item 1 of the training Dataset has 1x40x20 values but"):
        from_torch(pairs)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ((), "the training Dataset is empty"),
        ((IMAGES[0],), "item 0 of the training Dataset is not a pair"),
        (((IMAGES[0], 0), (IMAGES[0], LABELS)), "item 1 of the training Dataset has several"),
        (((IMAGES[0], 0.5),), "the item 0 of the training Dataset labels are"),
        (((torch.randn(3, 4, 4), 0),), "item 0 of the training Dataset images .* undo any"),
        ((("cat.png", 0),), "item 0 of the training Dataset images are an array of"),
    ],
)
def test_wrong_torch_datasets(items: tuple[Any, ...], message: str) -> None:
    """The item that is wrong is named."""
    with pytest.raises(DataError, match=message):
        from_torch(Pairs(*items))

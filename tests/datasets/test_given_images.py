"""Images and labels that others made: every layout that is read, and every one that is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddcodec.datasets.given_images import GivenImages, load_given_images
from ddcodec.errors import DataError

IMAGES = np.arange(3 * 3 * 4 * 5, dtype=np.uint8).reshape(3, 3, 4, 5)
LABELS = np.array([2, 0, 2])


def _npz(folder: Path, **arrays: object) -> GivenImages:
    np.savez(folder / "x.npz", **{"images": IMAGES, "labels": LABELS, **arrays})  # type: ignore[arg-type]
    return load_given_images(folder / "x.npz")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (IMAGES, IMAGES),
        (IMAGES.transpose(0, 2, 3, 1), IMAGES),
        (IMAGES[:, 0], IMAGES[:, :1]),
        (IMAGES.astype(np.float32) / 255, IMAGES),
        (IMAGES.astype(np.float64) / 255, IMAGES),
    ],
    ids=["channels first", "channels last", "grey", "float32", "float64"],
)
def test_layouts_of_arrays(stored: np.ndarray, expected: np.ndarray, tmp_path: Path) -> None:
    """Whatever the layout, the pixels are the same; classes are those that have images."""
    given = _npz(tmp_path, images=stored)
    assert np.array_equal(given.dataset.train.images, expected)
    assert given.dataset.train.images.dtype == np.uint8
    assert given.dataset.train.labels.tolist() == [1, 0, 1]
    assert given.dataset.class_names == ("0", "2") and not given.has_names
    assert given.dataset.notes == (
        "Classes without images, not counted: 1. The others keep their numbers as names.",
    )
    assert given.normalisation is None


def test_names_and_normalisation(tmp_path: Path) -> None:
    """Names of classes without images are not kept; normalised floats are scaled back."""
    mean, std = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.25, 0.3])
    normalised = (IMAGES / 255 - mean[:, None, None]) / std[:, None, None]
    names = np.array(["a", "b", "c", "d"])
    given = _npz(tmp_path, images=normalised, mean=mean, std=std, class_names=names)
    assert np.array_equal(given.dataset.train.images, IMAGES)
    assert given.dataset.class_names == ("a", "c") and given.has_names
    assert given.normalisation == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


@pytest.mark.parametrize("kind", ["named", "pair"])
def test_torch_files(kind: str, tmp_path: Path) -> None:
    """Tensors by name, or the pair that most methods save; bfloat16 too."""
    images = torch.from_numpy(IMAGES)
    pair = (images.float().div(255).requires_grad_(), torch.from_numpy(LABELS))
    content = {"images": images, "labels": pair[1]} if kind == "named" else pair
    torch.save(content, tmp_path / "x.pt")
    given = load_given_images(tmp_path / "x.pt")
    assert np.array_equal(given.dataset.train.images, IMAGES)
    torch.save(((images > 90).bfloat16(), pair[1]), tmp_path / "half.pt")
    half = load_given_images(tmp_path / "half.pt").dataset.train.images
    assert np.array_equal(half, np.where(IMAGES > 90, 255, 0))


def test_the_content_has_a_fingerprint(tmp_path: Path) -> None:
    """The same images have the same fingerprint, others another."""
    first = _npz(tmp_path).dataset.fingerprint
    assert _npz(tmp_path).dataset.fingerprint == first
    assert _npz(tmp_path, labels=LABELS[::-1] - 0).dataset.fingerprint == first
    assert _npz(tmp_path, labels=np.array([2, 1, 2])).dataset.fingerprint != first


def test_folders(tmp_path: Path) -> None:
    """A folder of classes is read whole, one image a class is enough, and it names its classes."""
    for name, value in (("cat", 10), ("dog", 200)):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.new("RGB", (5, 4), (value, 0, 0)).save(tmp_path / "set" / name / "0.png")
    given = load_given_images(tmp_path / "set", tmp_path / "cache")
    assert given.dataset.class_names == ("cat", "dog") and given.has_names
    assert given.dataset.train.images[:, 0, 0, 0].tolist() == [10, 200]
    Image.new("RGB", (6, 4)).save(tmp_path / "set" / "dog" / "1.png")
    with pytest.raises(DataError, match=r"6x4 pixels but .* 5x4"):
        load_given_images(tmp_path / "set", tmp_path / "cache")


@pytest.mark.parametrize(
    ("arrays", "pattern"),
    [
        ({"labels": np.array([0, -1, 2])}, r"run from -1 to 2; expected class numbers from 0 on"),
        ({"class_names": np.array(["a", "b"])}, "2 different class names but labels up to 2"),
        ({"labels": np.array([0, 1])}, "must be 3, one for each image; they are 2 of int64"),
        ({"labels": np.array([0.5, 1.0, 2.0])}, "are an array of 3 of type float64"),
        ({"labels": np.array(1)}, "a single of int64"),
        ({"images": IMAGES[0, 0]}, "are 4x5; they must be"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "are 0x3x4x5"),
        ({"images": IMAGES.reshape(3, 4, 5, 3)[:, :, :, :2]}, "they must be"),
        ({"images": np.zeros((3, 3, 513, 4), np.uint8)}, "larger than 512x512"),
        ({"images": IMAGES.astype(np.int32)}, "neither uint8 nor finite floats"),
        ({"images": np.full(IMAGES.shape, np.nan)}, "neither uint8 nor finite floats"),
        ({"images": IMAGES - 1.0}, "run from -1 to 178; save uint8"),
        ({"mean": np.array([0.5]), "std": np.array([0.5])}, "one number per channel"),
        ({"mean": np.array([120.0] * 3), "std": np.array([60.0] * 3)}, "one number per channel"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_wrong_arrays(arrays: dict[str, np.ndarray], pattern: str, tmp_path: Path) -> None:
    """One sentence that names the file and what is wrong in it."""
    with pytest.raises(DataError, match=pattern) as caught:
        _npz(tmp_path, **arrays)
    assert "x.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_wrong_files(tmp_path: Path) -> None:
    """Damaged, foreign and absent files, and pickles that would run code."""
    np.savez_compressed(tmp_path / "whole.npz", images=IMAGES, labels=LABELS)
    data = (tmp_path / "whole.npz").read_bytes()
    torch.save({"images": Path("x")}, tmp_path / "code.pt")
    torch.save(torch.zeros(3), tmp_path / "lone.pt")
    np.savez(tmp_path / "other.npz", x=IMAGES, y=LABELS)
    np.savez(tmp_path / "objects.npz", images=np.array([{}], dtype=object), labels=LABELS)
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    flipped = bytearray(data)
    flipped[80] ^= 255
    (tmp_path / "flipped.npz").write_bytes(flipped)
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "text.pt").write_text("hello")
    with (tmp_path / "array.npz").open("wb") as stream:
        np.save(stream, IMAGES)
    patterns = {
        "cut.npz": "Cannot read", "flipped.npz": "Cannot read", "text.npz": "Cannot read",
        "array.npz": "Cannot read", "objects.npz": "Cannot read", "text.pt": "Cannot read",
        "code.pt": "objects that are not arrays", "lone.pt": "has no 'labels'",
        "other.npz": "has no 'images'; it holds x, y", "none.npz": "does not exist",
    }  # fmt: skip
    for name, pattern in patterns.items():
        with pytest.raises(DataError, match=pattern) as caught:
            load_given_images(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)

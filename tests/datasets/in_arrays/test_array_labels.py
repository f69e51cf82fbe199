"""Labels in arrays: every form, gaps, and what has no meaning here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddcodec.datasets import from_arrays, load_dataset
from ddcodec.datasets.in_arrays.array_labels import settle_labels
from ddcodec.errors import DataError

IMAGES = np.arange(4 * 3 * 2 * 2, dtype=np.uint8).reshape(4, 3, 2, 2)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, 0, 1, 2]),
        np.array([[1], [0], [1], [2]], dtype=np.uint8),
        np.array([1.0, 0.0, 1.0, 2.0], dtype=np.float32),
        np.eye(3, dtype=np.uint8)[[1, 0, 1, 2]],
        np.eye(3, dtype=np.float32)[[1, 0, 1, 2]],
        np.eye(3, dtype=bool)[[1, 0, 1, 2]],
    ],
    ids=["numbers", "a column", "floats", "one-hot", "one-hot floats", "one-hot booleans"],
)
def test_forms_of_numbers(labels: Any) -> None:
    """All of these say the same."""
    settled = settle_labels({"train": labels}, ["ant", "bee", "cow"])
    assert settled.splits["train"].tolist() == [1, 0, 1, 2]
    assert settled.splits["train"].dtype == np.int64
    assert (settled.class_names, settled.notes) == (("ant", "bee", "cow"), ())


@pytest.mark.parametrize("kind", ["U", "S"])
def test_texts_are_names(kind: str) -> None:
    """Classes are sorted by name; a test split has the same numbers."""
    train, test = np.array(["bee", "ant", "bee"], kind), np.array([["bee"]], kind)
    settled = settle_labels({"train": train, "test": test})
    assert settled.class_names == ("ant", "bee")
    assert settled.splits["train"].tolist() == [1, 0, 1]
    assert settled.splits["test"].tolist() == [1]


def test_gaps_are_no_classes() -> None:
    """Labels 0 and 5 are two classes that keep their numbers as names, and it is said."""
    dataset = from_arrays(IMAGES, [0, 5, 5, 0], IMAGES[:2], [5, 0])
    assert dataset.class_names == ("0", "5")
    assert dataset.train.labels.tolist() == [0, 1, 1, 0]
    assert dataset.test is not None and dataset.test.labels.tolist() == [1, 0]
    assert dataset.notes == (
        "Classes without images, not counted: 1, 2, 3, 4. The others keep their numbers as names.",
    )
    assert from_arrays(IMAGES, [1, 2, 3, 1]).class_names == ("1", "2", "3")


def test_names_of_classes_without_images() -> None:
    """A name that no label has is left out, and it is said."""
    names = [f"n{number}" for number in range(9)]
    dataset = from_arrays(IMAGES, [0, 2, 2, 0], class_names=names)
    assert dataset.class_names == ("n0", "n2")
    assert dataset.notes == ("Classes without images, not counted: n1, n3, n4, n5, n6, ….",)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, np.nan, 1, np.nan], "2 training labels are not a number; leave those images out"),
        ([0, np.inf, 1, 0], "1 training labels are not a number"),
        ([0.5, 0, 1, 1], "an array of 4 of type float64; expected one whole number"),
        (np.full((4, 3), 1 / 3), "4x3 without a single 1 in each row: several labels an image"),
        (np.ones((4, 14), int), "4x14 without a single 1"),
        (np.zeros((4, 2), int), "4x2 without a single 1"),
        (np.zeros((4, 2, 2), int), "an array of 4x2x2"),
        ([0, 1, -1, 0], "labels run from -1 to 1"),
        ([0, 1, 70_000, 0], "labels run from 0 to 70000"),
        ([0j, 1, 1, 0], "of type complex128"),
    ],
)
def test_labels_without_a_meaning(labels: Any, message: str) -> None:
    """What could only be guessed at is refused in a sentence."""
    with pytest.raises(DataError, match=message) as caught:
        from_arrays(IMAGES, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ([3], "class '3' has test images but no training images"),
        ([1], "class '1' has test images but no training images"),
        (["a"], "some labels are texts and some are numbers"),
    ],
)
def test_held_out_classes_that_are_not_trained_on(test: Any, message: str) -> None:
    """Nothing can be learned of them."""
    with pytest.raises(DataError, match=message):
        from_arrays(IMAGES, [0, 2, 2, 0], IMAGES[:1], test)


def test_held_out_texts_that_are_not_trained_on() -> None:
    """Likewise for names."""
    with pytest.raises(DataError, match="class 'cow' has test images but no training images"):
        settle_labels({"train": np.array(["ant", "bee"]), "test": np.array(["cow"])})


@pytest.mark.parametrize(
    ("arrays", "test"),
    [
        (("train_images", "train_labels", "val_images", "val_labels"), [3]),
        (("x", "y"), None),
        (("X", "y", "x_val", "y_val"), [3]),
    ],
)
def test_pairs_of_names(tmp_path: Path, arrays: tuple[str, ...], test: list[int] | None) -> None:
    """MedMNIST's, Keras' and others' names; labels N×1."""
    labels = np.array([[3], [0], [0], [3]], dtype=np.uint8)
    values = (IMAGES, labels, IMAGES[:1], labels[:1])
    np.savez(tmp_path / "x.npz", **dict(zip(arrays, values)))  # type: ignore[arg-type]  # noqa: B905
    dataset = load_dataset(str(tmp_path / "x.npz"), cache_dir=tmp_path / "cache")
    assert dataset.class_names == ("0", "3")
    held_out = None if dataset.test is None else dataset.test.labels.tolist()
    assert held_out == (None if test is None else [1])
    assert dataset.notes[0].startswith("Classes without images, not counted: 1, 2.")


def test_two_held_out_pairs(tmp_path: Path) -> None:
    """MedMNIST has validation and test images; which are used is said."""
    values = {f"{split}_images": IMAGES for split in ("train", "val", "test")}
    values |= {f"{split}_labels": np.array([0, 1, 1, 0]) for split in ("train", "val", "test")}
    np.savez(tmp_path / "x.npz", **values)  # type: ignore[arg-type]
    dataset = load_dataset(str(tmp_path / "x.npz"), cache_dir=tmp_path / "cache")
    assert dataset.notes == ("val_images is not used: test_images is what is tested on.",)

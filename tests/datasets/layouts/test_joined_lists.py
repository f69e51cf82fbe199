"""Labels in lists that refer to each other, and splits in lists beside class folders."""

import json
from pathlib import Path

import pytest
from image_trees import Files, flat, write_source

from ddcodec.datasets import Dataset, load_dataset
from ddcodec.errors import DataError

KINDS = ["", ".zip", ".tar"]


def load(tmp_path: Path, files: Files, kind: str = "") -> Dataset:
    """Load files brought as a folder or archive."""
    source = write_source(tmp_path, kind, files)
    return load_dataset(str(source), cache_dir=tmp_path / "cache")


def lines(*rows: object) -> bytes:
    """Return the bytes of a text of these lines."""
    return "\n".join(map(str, rows)).encode()


def cub(paths: list[str], labels: list[int], training: list[int] | None) -> Files:
    """Return images and lists as those of CUB-200."""
    files: Files = {f"cub/images/{path}": flat(n) for n, path in enumerate(paths)}
    numbered = list(enumerate(paths, 1))
    files["cub/images.txt"] = lines(*(f"{n} {path}" for n, path in numbered))
    files["cub/image_class_labels.txt"] = lines(*(f"{n} {labels[n - 1]}" for n, _ in numbered))
    files["cub/classes.txt"] = lines("1 001.Wren", "2 002.Crow")
    files["cub/README"] = b"birds"
    if training is not None:
        flags = (f"{n} {training[n - 1]}" for n, _ in numbered)
        files["cub/train_test_split.txt"] = lines(*flags)
    return files


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("folders", [False, True])
def test_lists_that_share_numbers(tmp_path: Path, folders: bool, kind: str) -> None:
    """Labels, names and splits of CUB-200, whether its images are in class folders or not."""
    labels = [2, 1, 2, 1, 1]
    tops = {1: "001.Wren/", 2: "002.Crow/"} if folders else {1: "", 2: ""}
    paths = [f"{tops[label]}{n}.png" for n, label in enumerate(labels)]
    dataset = load(tmp_path, cub(paths, labels, [1, 1, 0, 1, 0]), kind)
    assert dataset.class_names == ("001.Wren", "002.Crow")
    assert dataset.train.images[:, 0, 0, 0].tolist() == [1, 3, 0]
    assert dataset.train.labels.tolist() == [0, 0, 1]
    assert dataset.test is not None
    assert dataset.test.images[:, 0, 0, 0].tolist() == [4, 2]
    assert dataset.test.labels.tolist() == [0, 1]
    used = "Splits" if folders else "Labels"
    assert f"{used} are those of 'cub/images.txt'." in dataset.notes


def test_without_splits(tmp_path: Path) -> None:
    """Where no list says what is to train on, all is."""
    dataset = load(tmp_path, cub(["a.png", "b.png", "c.png"], [2, 1, 2], None))
    assert dataset.test is None and dataset.class_names == ("001.Wren", "002.Crow")
    assert dataset.train.images[:, 0, 0, 0].tolist() == [1, 0, 2]


def coco(labels: list[tuple[int, int]], names: bool = True) -> bytes:
    """Return annotations: pairs of an image and its category."""
    described = {
        "images": [{"id": 70 + n, "file_name": f"{n}.png", "width": 6} for n in range(3)],
        "annotations": [{"image_id": 70 + n, "category_id": label} for n, label in labels],
    }
    if names:
        described["categories"] = [{"id": 5, "name": "wren"}, {"id": 8, "name": "crow"}]
    return json.dumps(described).encode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [False, True])
def test_annotations_that_refer_to_images(tmp_path: Path, names: bool, kind: str) -> None:
    """The categories of COCO are classes, in the order of their numbers."""
    files = {f"images/{n}.png": flat(n) for n in range(3)}
    files["coco.json"] = coco([(0, 8), (1, 5), (2, 8), (2, 8)], names)
    dataset = load(tmp_path, files, kind)
    assert dataset.class_names == (("wren", "crow") if names else ("5", "8"))
    assert dataset.train.images[:, 0, 0, 0].tolist() == [1, 0, 2]


def test_several_categories_of_an_image(tmp_path: Path) -> None:
    """An image of two categories is none of a class."""
    files = {f"images/{n}.png": flat(n) for n in range(3)}
    files["coco.json"] = coco([(0, 8), (1, 5), (1, 8)])
    with pytest.raises(DataError, match=r"'images/1.png' is '5' and '8'; an image has one label"):
        load(tmp_path, files)


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_splits_beside_class_folders(tmp_path: Path, kind: str) -> None:
    """Folders give the classes, the list says what is held out."""
    files = {
        f"{name}/{n}.png": flat(n) for name, n in (("ant", 1), ("ant", 2), ("bee", 3), ("bee", 4))
    }
    rows = (
        "ant/1.png,ant,test",
        "ant/2.png,ant,train",
        "bee/3.png,bee,train",
        "bee/4.png,bee,valid",
    )
    dataset = load(tmp_path, {**files, "birds.csv": lines("filepaths,labels,split", *rows)}, kind)
    assert dataset.train.images[:, 0, 0, 0].tolist() == [2, 3]
    assert dataset.test is not None and dataset.test.images[:, 0, 0, 0].tolist() == [1]
    assert dataset.notes == (
        "Splits are those of 'birds.csv'.", "valid/ is not used: test/ is what is tested on.",
    )  # fmt: skip


def test_a_class_without_training_images(tmp_path: Path) -> None:
    """A list may not hold all images of a class back."""
    files: Files = {"ant/1.png": flat(1), "bee/2.png": flat(2)}
    files["x.csv"] = lines("file,label,split", "1.png,ant,train", "2.png,bee,test")
    with pytest.raises(DataError, match=r"'x.csv' leaves class 'bee' of .* no image to train on"):
        load(tmp_path, files)

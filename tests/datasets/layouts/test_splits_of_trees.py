"""Where splits stand in a tree: above the classes, inside them, deeper down."""

from pathlib import Path

import pytest
from image_trees import Files, flat, split_tree, write_folder, write_source

from ddcodec.datasets import load_folder
from ddcodec.datasets.layouts import layout
from ddcodec.datasets.layouts.split_names import split_called, split_of_file
from ddcodec.errors import DataError

KINDS = ["", ".zip", ".tar.gz"]

TREES: dict[str, list[str]] = {
    "plain": ["train/ant/1", "train/bee/2", "test/ant/3"],
    "other words": ["Training/ant/1", "Training/bee/2", "Testing/ant/3"],
    "wrapped twice": ["data/set/train/ant/1", "data/set/train/bee/2", "data/set/dev/ant/3"],
    "images between": ["train/images/ant/1", "train/images/bee/2", "val/images/ant/3"],
    "images below": ["train/ant/images/1", "train/bee/images/2", "test/ant/images/3"],
    "splits inside classes": ["ant/train/1", "bee/train/2", "ant/test/3"],
    "deeper classes": ["train/ant/red/1", "train/bee/2", "test/ant/black/small/3"],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tree", TREES)
def test_trees(tmp_path: Path, tree: str, kind: str) -> None:
    """Classes and splits are the same wherever they stand."""
    files: Files = {f"{path}.png": flat(int(path[-1])) for path in TREES[tree]}
    dataset = load_folder("x", write_source(tmp_path, kind, files), tmp_path / "cache")
    assert dataset.class_names == ("ant", "bee")
    assert dataset.train.images[:, 0, 0, 0].tolist() == [1, 2]
    assert dataset.test is not None
    assert dataset.test.images[:, 0, 0, 0].tolist() == [3]
    assert dataset.test.labels.tolist() == [0]


def test_flat_splits_without_a_list(tmp_path: Path) -> None:
    """Folders of splits are no classes, also where nothing gives the classes."""
    files = {"train/1.png": flat(1), "test/1.png": flat(2)}
    with pytest.raises(DataError, match=r"image 'train/1.png' .* is in no class folder"):
        load_folder("x", write_source(tmp_path, "", files), tmp_path / "cache")


def test_names_of_splits() -> None:
    """Words are known in any case; what merely begins like one is not."""
    assert [split_called(name) for name in ("TRAIN", "Testing", "valid", "eval", "trainer")] == [
        "train", "test", "valid", "val", None,
    ]  # fmt: skip
    assert [split_of_file(stem) for stem in ("train_labels", "val-1", "test", "testify")] == [
        "train", "val", "test", None,
    ]  # fmt: skip


def test_without_lists_images_are_not_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index for lists takes several times the memory of the paths, so others do without."""

    def refuse(images: object) -> None:
        raise AssertionError("images are indexed")

    monkeypatch.setattr(layout, "ImageIndex", refuse)
    files = split_tree()
    assert len(load_folder("a", write_folder(tmp_path / "a", files), tmp_path).train) == 5
    with pytest.raises(AssertionError, match="images are indexed"):
        load_folder("b", write_folder(tmp_path / "b", files | {"labels.csv": b"a,b\n"}), tmp_path)

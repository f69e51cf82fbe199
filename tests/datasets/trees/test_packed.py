"""A folder of archives: one for each split or class, or images in one and their list beside it."""

import sys
from pathlib import Path

import pytest
from image_trees import Files, flat, write_archive, write_folder, write_zip

from ddcodec.datasets import Dataset, load_dataset
from ddcodec.errors import DataError

KINDS = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst"]
CLASSES: Files = {"ant/1.png": flat(1), "bee/2.png": flat(2)}
HELD_OUT: Files = {"ant/3.png": flat(3)}


def load(folder: Path) -> Dataset:
    """Load a folder with a cache beside it."""
    return load_dataset(str(folder), cache_dir=folder.parent / "cache")


def shown(dataset: Dataset) -> tuple[list[int], list[int]]:
    """Return the numbers of training and of test images."""
    test = [] if dataset.test is None else dataset.test.images[:, 0, 0, 0].tolist()
    return dataset.train.images[:, 0, 0, 0].tolist(), test


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [("train", "test"), ("Train_images", "val_images")])
@pytest.mark.parametrize("parent", ["", "deeper/down/"])
def test_an_archive_a_split(tmp_path: Path, names: tuple[str, str], parent: str, kind: str) -> None:
    """Splits are in the names of the archives, wherever these lie."""
    for name, files in zip(names, (CLASSES, HELD_OUT), strict=True):
        write_archive(tmp_path / "set" / f"{parent}{name}{kind}", files)
    dataset = load(tmp_path / "set")
    assert dataset.class_names == ("ant", "bee")
    assert shown(dataset) == ([1, 2], [3])
    assert dataset.notes == ()


@pytest.mark.parametrize("kind", KINDS)
def test_archives_with_a_folder_of_their_name(tmp_path: Path, kind: str) -> None:
    """What is in `train/` of `train.zip` is not in `train/train/`."""
    for name, files in (("train", CLASSES), ("test", HELD_OUT)):
        inside = {f"{name}/{path}": data for path, data in files.items()}
        write_archive(tmp_path / "set" / f"{name}{kind}", inside)
    assert shown(load(tmp_path / "set")) == ([1, 2], [3])


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_a_class(tmp_path: Path, kind: str) -> None:
    """Archives in the folder of a split are its classes."""
    for path, value in (("train/ant", 1), ("train/bee", 2), ("val/ant", 3)):
        write_archive(tmp_path / "set" / f"{path}{kind}", {"a.png": flat(value)})
    dataset = load(tmp_path / "set")
    assert (dataset.class_names, shown(dataset)) == (("ant", "bee"), ([1, 2], [3]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_beside_the_archive(tmp_path: Path, kind: str) -> None:
    """A list names images that lie packed beside it, as competitions give them out."""
    folder = write_folder(tmp_path / "set", {"labels.csv": b"id,breed\n1,pug\n2,boxer\n"})
    write_archive(folder / f"train{kind}", {"1.png": flat(1), "2.png": flat(2)})
    dataset = load(folder)
    assert (dataset.class_names, shown(dataset)) == (("boxer", "pug"), ([2, 1], []))


def test_a_changed_archive_is_noticed(tmp_path: Path) -> None:
    """What the cache holds is of the archives as they are."""
    write_zip(tmp_path / "train.zip", CLASSES)
    assert shown(load(tmp_path)) == ([1, 2], [])
    write_zip(tmp_path / "train.zip", CLASSES | {"bee/22.png": flat(22)})
    assert shown(load(tmp_path)) == ([1, 2, 22], [])


def test_images_lost_in_two_archives(tmp_path: Path) -> None:
    """Two archives of a split may not hold the same path: one image would be gone."""
    for name in ("train_0", "train_1"):
        write_zip(tmp_path / f"{name}.zip", CLASSES)
    with pytest.raises(DataError, match=r"'train_0.zip' and 'train_1.zip' .* both hold 'ant/1.png"):
        load(tmp_path)
    (tmp_path / "train_1.zip").unlink()
    write_zip(tmp_path / "train_1.zip", {"ant/4.png": flat(4)})
    assert shown(load(tmp_path)) == ([1, 4, 2], [])


def test_archives_beside_images_are_left_out_aloud(tmp_path: Path) -> None:
    """Where images lie open, archives beside them are not opened, which is said."""
    write_zip(write_folder(tmp_path / "set", CLASSES) / "more.zip", HELD_OUT)
    dataset = load(tmp_path / "set")
    assert shown(dataset) == ([1, 2], [])
    assert dataset.notes == ("Neither images nor lists and left out: 1 file, 'more.zip'.",)


def test_archives_in_an_archive(tmp_path: Path) -> None:
    """They are to be unpacked first."""
    inner = write_zip(tmp_path / "train.zip", CLASSES).read_bytes()
    outer = write_zip(tmp_path / "outer.zip", {"set/train.zip": inner})
    with pytest.raises(DataError, match=r"outer.zip' holds .* 'set/train.zip'; unpack"):
        load(outer)


def test_zstandard_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""
    path = write_archive(tmp_path / "x.tar.zst", CLASSES)
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    with pytest.raises(DataError, match=r"needs backports.zstd, .* 'ddcodec\[zstd\]'"):
        load(path)

"""Trees of images: their shapes, their classes, and what is wrong with them."""

import os
from pathlib import Path

import numpy as np
import pytest
from image_trees import encode, flat, split_tree, write_folder, write_source
from PIL import Image

from ddcodec.datasets import Dataset, load_dataset, load_folder
from ddcodec.datasets.trees import tree
from ddcodec.errors import DataError

KINDS = ["", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz"]


def load(tmp_path: Path, files: dict[str, bytes], kind: str = "") -> Dataset:
    """Load files brought as a folder or archive."""
    return load_folder("insects", write_source(tmp_path, kind, files), tmp_path / "cache")


def reds(images: np.ndarray) -> list[int]:
    """Return the first pixel's first channel of each image."""
    return images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_split_tree(tmp_path: Path, kind: str) -> None:
    """Every kind of source gives the same arrays, sorted by class and path."""
    dataset = load(tmp_path, split_tree(), kind)
    assert dataset.name == "insects"
    assert dataset.class_names == ("ant", "bee")
    assert (dataset.num_classes, dataset.channels) == (2, 3)
    assert (dataset.height, dataset.width) == (4, 6)
    assert reds(dataset.train.images) == [10, 20, 30, 40, 50]
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1]
    assert dataset.test is not None
    assert reds(dataset.test.images) == [60, 70]
    assert dataset.test.labels.tolist() == [0, 1]
    assert dataset.fingerprint == PINNED_FINGERPRINT


PINNED_FINGERPRINT = "288d555318f36536fa1eb5365fc4d1943b981efe2d84d4e26f90d249796dca80"


@pytest.mark.parametrize("kind", KINDS)
def test_wrapping_folder(tmp_path: Path, kind: str) -> None:
    """One folder around everything makes no difference, not even to the fingerprint."""
    wrapped = {f"insects-1.0/{path}": data for path, data in split_tree().items()}
    dataset = load(tmp_path, {"README.md": b"hello", **wrapped}, kind)
    assert dataset.fingerprint == PINNED_FINGERPRINT


@pytest.mark.parametrize("kind", KINDS)
def test_archive_order_does_not_matter(tmp_path: Path, kind: str) -> None:
    """Members in any order give the same dataset."""
    backwards = dict(reversed(split_tree().items()))
    assert load(tmp_path, backwards, kind).fingerprint == PINNED_FINGERPRINT


@pytest.mark.parametrize("prefix", ["", "insects/"])
def test_tree_without_split(tmp_path: Path, prefix: str) -> None:
    """Class folders at the top are all training images."""
    files = {f"{prefix}bee/1.png": flat(2), f"{prefix}ant/1.png": flat(1)}
    dataset = load(tmp_path, files)
    assert dataset.class_names == ("ant", "bee")
    assert reds(dataset.train.images) == [1, 2]
    assert dataset.test is None


def test_train_only(tmp_path: Path) -> None:
    """A split tree may lack the test side."""
    dataset = load(tmp_path, {"train/ant/1.png": flat(1), "train/bee/1.png": flat(2)})
    assert dataset.class_names == ("ant", "bee")
    assert dataset.test is None


def test_pictures_of_trains(tmp_path: Path) -> None:
    """A class may be called train."""
    dataset = load(tmp_path, {"plane/1.png": flat(1), "train/1.png": flat(2)})
    assert dataset.class_names == ("plane", "train")


@pytest.mark.parametrize(
    "held_out", ["test", "val", "valid", "validation", "dev", "Testing", "eval", "TEST"]
)
def test_names_of_the_test_side(tmp_path: Path, held_out: str) -> None:
    """The held-out side has several usual names."""
    files = {"train/ant/1.png": flat(1), "train/bee/1.png": flat(3)}
    dataset = load(tmp_path, {**files, f"{held_out}/ant/1.png": flat(2)})
    assert dataset.test is not None
    assert reds(dataset.test.images) == [2]


def test_test_is_preferred_to_val(tmp_path: Path) -> None:
    """With both sides, `test` is the test set and `val` is unused."""
    files = {f"{split}/ant/1.png": flat(i) for i, split in enumerate(("train", "val", "test"))}
    dataset = load(tmp_path, {**files, "train/bee/1.png": flat(9)})
    assert dataset.test is not None
    assert (reds(dataset.train.images), reds(dataset.test.images)) == ([0, 9], [2])
    assert dataset.notes == ("val/ is not used: test/ is what is tested on.",)


def test_grey_trees_have_one_channel(tmp_path: Path) -> None:
    """All grey images make C 1; one colour image makes all of them RGB."""
    grey = {"ant/1.png": flat(1, "L"), "bee/1.png": flat(2, "L")}
    assert load(tmp_path / "grey", grey).train.images.shape == (2, 1, 4, 6)
    mixed = load(tmp_path / "mixed", {**grey, "bee/2.png": flat(3)})
    assert mixed.train.images.shape == (3, 3, 4, 6)
    assert np.all(mixed.train.images[0] == 1)


def test_suffixes_in_capitals(tmp_path: Path) -> None:
    """`.JPG` is an image too."""
    files = {"ant/1.JPG": encode(Image.new("RGB", (6, 4)), "JPEG"), "bee/1.Png": flat(1)}
    assert len(load(tmp_path, files).train) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_debris_is_ignored(tmp_path: Path, kind: str) -> None:
    """Hidden files, system files and metadata are no classes and no images."""
    debris = {
        "__MACOSX/train/ant/._a.png": b"?",
        ".DS_Store": b"?",
        "train/.DS_Store": b"?",
        "train/ant/.hidden.png": b"?",
        ".git/ant/a.png": b"?",
        "train/ant/Thumbs.db": b"?",
        "train/ant/desktop.ini": b"?",
        "train/ant/labels.csv": b"?",
        "train/bee/notes.txt": b"?",
        "train/bee/boxes.json": b"?",
        "LICENSE": b"?",
    }
    assert load(tmp_path, {**debris, **split_tree()}, kind).fingerprint == PINNED_FINGERPRINT


@pytest.mark.parametrize("kind", ["", ".zip", ".tar.gz"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train/ant/b.png": b"junk"}, r"'train/ant/b.png' is not a readable image"),
        ({"train/ant/b.png": flat(1)[:-30]}, r"'train/ant/b.png' is not a readable image"),
        (
            {"train/bee/a.png": flat(1, size=(6, 5))},
            r"'train/bee/a.png' has 6x5 pixels but 'train/ant/a.png' has 6x4; pass --size N to",
        ),
        (
            {"test/bee/a.png": flat(1, size=(7, 4))},
            r"'test/bee/a.png' has 7x4 pixels but 'train/ant/a.png' has 6x4; pass --size N to",
        ),
        ({"train/cow/": b""}, r"class folder 'train/cow' .* holds no images"),
        ({"train/cow/notes.txt": b""}, r"class folder 'train/cow' .* holds no images"),
        ({"test/cow/": b""}, r"class folder 'test/cow' .* holds no images"),
        ({"test/cow/a.png": flat(1)}, r"class 'cow' .* is in test/ but not in train/"),
        ({"train/ant/movie.mp4": b""}, r"'train/ant/movie.mp4' .* is not an image"),
        ({"train/stray.png": flat(1)}, r"image 'train/stray.png' .* is in no class folder"),
        ({"extra/ant/a.png": flat(1)}, r"'extra/ant/a.png' .* is beside train/"),
        ({"train/ant/b.png": flat(1, size=(600, 4))}, r"'train/ant/b.png' has 600x4 pixels"),
        ({"train/ant/b.png": bytes(17 * 2**20)}, r"'train/ant/b.png' is 17 MiB"),
        ({"train/a\nb/1.png": flat(1)}, r"'a\\nb' .* cannot be printed"),
    ],
)
def test_mistakes(tmp_path: Path, kind: str, changes: dict[str, bytes], message: str) -> None:
    """Every mistake is one sentence that names the file, in folders and archives alike."""
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path, {**split_tree(), **changes}, kind)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.npy"))


@pytest.mark.parametrize("kind", ["", ".zip", ".tar"])
@pytest.mark.parametrize("files", [{}, {"a.txt": b""}, {"ant/": b""}, {".x/1.png": flat(1)}])
def test_no_images(tmp_path: Path, kind: str, files: dict[str, bytes]) -> None:
    """A source without images says what was expected."""
    with pytest.raises(DataError, match=r"holds no images; expected train/<class>"):
        load(tmp_path, files, kind)


def test_images_without_classes(tmp_path: Path) -> None:
    """Images at the top have no class."""
    with pytest.raises(DataError, match=r"image '1.png' .* is in no class folder"):
        load(tmp_path, {"1.png": flat(1), "2.png": flat(2)})


def test_folders_inside_class_folders(tmp_path: Path) -> None:
    """Images deeper down belong to the class folder above them, which is said."""
    files = {"w/train/ant/deep/1.png": flat(1), "w/train/ant/2.png": flat(2)}
    dataset = load(tmp_path, {**files, "w/train/bee/images/1.png": flat(3)})
    assert dataset.class_names == ("ant", "bee")
    assert reds(dataset.train.images) == [2, 1, 3]
    assert dataset.notes == (
        "In deeper folders, taken for the class folders above them: 2 training images.",
    )


def test_linked_class_folder(tmp_path: Path) -> None:
    """Folders on another disk, linked in, are followed; a loop of links ends."""
    store = write_folder(tmp_path / "store", {"1.png": flat(1)})
    root = write_folder(tmp_path / "insects", {"bee/1.png": flat(2)})
    (root / "ant").symlink_to(store)
    assert load_folder("x", root, tmp_path / "cache").class_names == ("ant", "bee")
    (root / "bee" / "loop").symlink_to(root)
    with pytest.raises(DataError, match=r"bee/loop' is a link that leads back up; remove it"):
        load_folder("x", root, tmp_path / "cache")


def test_pipe(tmp_path: Path) -> None:
    """A pipe among the images is an error, not a wait without end."""
    root = write_folder(tmp_path / "insects", {"bee/1.png": flat(2)})
    os.mkfifo(root / "bee" / "2.png")
    with pytest.raises(DataError, match=r"2\.png' is neither a file nor a folder"):
        load_folder("x", root, tmp_path / "cache")


def test_dangling_link(tmp_path: Path) -> None:
    """A link to nowhere is named."""
    root = write_folder(tmp_path / "insects", {"bee/1.png": flat(2)})
    (root / "bee" / "2.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"cannot read '.*2\.png': no such file"):
        load_folder("x", root, tmp_path / "cache")


def test_no_default_source(tmp_path: Path) -> None:
    """A name of one's own needs data."""
    with pytest.raises(DataError, match="pass --data"):
        load_folder("insects", None, tmp_path)


def test_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading says how far it is, in both passes; from the cache it has nothing to say."""
    monkeypatch.setattr(tree, "PROGRESS_IMAGES", 3)
    source, said = write_source(tmp_path, ".zip", split_tree()), list[str]()
    for _ in range(2):
        load_dataset(
            "x", source, tmp_path / "cache", on_progress=lambda progress: said.append(str(progress))
        )
    assert said == [
        "listing, 3 images", "listing, 6 images",
        "decoding, 3 of 7 images", "decoding, 6 of 7 images",
    ]  # fmt: skip

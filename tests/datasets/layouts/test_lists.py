"""Labels in lists beside the images: every form people keep them in, in folders and archives."""

import json
from pathlib import Path

import numpy as np
import pytest
from image_trees import Files, flat, write_source

from ddcodec.datasets import Dataset, load_dataset
from ddcodec.errors import DataError

KINDS = ["", ".zip", ".tar"]
IMAGES: Files = {f"images/{number}.png": flat(number) for number in range(6)}
LABELS = ["bee", "ant", "bee", "ant", "ant", "bee"]


def load(tmp_path: Path, files: Files, kind: str = "", inside: str = "") -> Dataset:
    """Load files brought as a folder or archive, or what is `inside` the folder."""
    tmp_path.mkdir(exist_ok=True)
    source = write_source(tmp_path, kind, files)
    path = f"{source}/{inside}" if inside else str(source)
    return load_dataset(path, cache_dir=tmp_path / "cache")


def shown(images: np.ndarray) -> list[int]:
    """Return the number of each image."""
    return images[:, 0, 0, 0].tolist()


def csv(*rows: str) -> bytes:
    """Return the bytes of a text of these lines."""
    return "\n".join(rows).encode()


def _rows(image: str, separator: str = ",") -> list[str]:
    return [f"{image.format(n)}{separator}{label}" for n, label in enumerate(LABELS)]


def _records(name: str, label: str) -> list[dict[str, str]]:
    return [{name: f"{n}.png", label: text} for n, text in enumerate(LABELS)]


FORMS: dict[str, Files] = {
    "labels.csv": {"labels.csv": csv("filename,label", *_rows("{}.png"))},
    "paths from the list": {"labels.csv": csv("path,class", *_rows("images/{}.png"))},
    "paths from elsewhere": {"labels.csv": csv("file,species", *_rows("/home/me/images/{}.png"))},
    "backslashes": {"labels.csv": csv("file,breed", *_rows("images\\{}.png"))},
    "names without suffix": {"train.csv": csv("id,label", *_rows("{}"))},
    "inside the folder": {"images/metadata.csv": csv("file_name,label", *_rows("{}.png"))},
    "lines of JSON": {
        "images/metadata.jsonl": csv(*map(json.dumps, _records("file_name", "label")))
    },
    "list in JSON": {"labels.json": json.dumps(_records("image", "category")).encode()},
    "object in JSON": {
        "labels.json": json.dumps({f"{n}.png": label for n, label in enumerate(LABELS)}).encode()
    },
    "columns by spaces": {"images.txt": csv(*_rows("images/{}.png", " "))},
    "tabs, no header, more columns": {
        "images/val_annotations.txt": csv(*(f"{row}\t0\t9\t62" for row in _rows("{}.png", "\t")))
    },
    "tabs": {"labels.tsv": csv("image\tlabel", *_rows("{}.png", "\t"))},
    "semicolons and a byte order mark": {
        "labels.csv": b"\xef\xbb\xbf" + csv("Filename;Label", *_rows("{}.png", ";"))
    },
    "quoted": {
        "labels.csv": csv("filename,label", *(f'"{n}.png","{t}"' for n, t in enumerate(LABELS)))
    },
    "one column a class": {
        "truth.csv": csv(
            "image,ant,bee",
            *(f"{n},{int(t == 'ant')}.0,{int(t == 'bee')}.0" for n, t in enumerate(LABELS)),
        )
    },
    "a column of another name": {"list.csv": csv("picture,kind", *_rows("{}.png"))},
    "other files": {
        "labels.csv": csv("filename,label", *_rows("{}.png")),
        "notes.csv": csv("a,b", "1,2"),
        "README.md": b"# six insects",
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_list(tmp_path: Path, form: str, kind: str) -> None:
    """The labels of the list are those of the dataset, classes sorted by name."""
    dataset = load(tmp_path, {**IMAGES, **FORMS[form]}, kind)
    assert dataset.class_names == ("ant", "bee")
    assert shown(dataset.train.images) == [1, 3, 4, 0, 2, 5]
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.test is None
    used = next(path for path in FORMS[form] if path not in ("notes.csv", "README.md"))
    assert dataset.notes == (f"Labels are those of '{used}'.",)


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    """Labels 10 and 9 are classes called so, in the order of their numbers."""
    rows = (f"{number}.png,{10 - number % 2}" for number in range(6))
    dataset = load(tmp_path, {**IMAGES, "labels.csv": csv("filename,label", *rows)})
    assert dataset.class_names == ("9", "10")
    assert shown(dataset.train.images) == [1, 3, 5, 0, 2, 4]


def test_labels_that_images_are_called_by(tmp_path: Path) -> None:
    """A label 1 is not taken for the image 1.png."""
    rows = (f"{number},{number % 2}" for number in range(6))
    dataset = load(tmp_path, {**IMAGES, "list.csv": csv("picture,kind", *rows)})
    assert shown(dataset.train.images) == [0, 2, 4, 1, 3, 5]


@pytest.mark.parametrize("kind", KINDS)
def test_lists_of_splits(tmp_path: Path, kind: str) -> None:
    """Splits are those of the lists' names, or of a column."""
    rows = _rows("{}.png")
    files = {"train.csv": csv("id,label", *rows[:4]), "test.csv": csv("id,label", *rows[4:])}
    columns = (f"{row},{'train' if n < 4 else 'test'}" for n, row in enumerate(rows))
    for name, lists in {
        "names": files,
        "column": {"labels.csv": csv("filename,label,split", *columns)},
    }.items():
        dataset = load(tmp_path / name, {**IMAGES, **lists}, kind)
        assert dataset.test is not None
        assert shown(dataset.train.images) == [1, 3, 0, 2]
        assert (shown(dataset.test.images), dataset.test.labels.tolist()) == ([4, 5], [0, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_lists_of_folders_of_splits(tmp_path: Path, kind: str) -> None:
    """Flat split folders have a list each; images of one name are told apart by it."""
    files = {
        "train/0.png": flat(0), "train/1.png": flat(1),
        "test/0.png": flat(8), "test/1.png": flat(9),
        "train/metadata.csv": csv("file_name,label", "0.png,ant", "1.png,bee"),
        "test/metadata.csv": csv("file_name,label", "0.png,bee", "1.png,ant"),
    }  # fmt: skip
    dataset = load(tmp_path, files, kind)
    assert dataset.test is not None
    assert shown(dataset.train.images) == [0, 1]
    assert shown(dataset.test.images) == [9, 8]


@pytest.mark.parametrize("kind", KINDS)
def test_tiny_imagenet_as_released(tmp_path: Path, kind: str) -> None:
    """Its shape under another name: folders for training, a list for validation, no test labels."""
    annotations = csv("val_0.JPEG\tn02\t0\t0\t9\t9", "val_1.JPEG\tn01\t0\t0\t9\t9")
    files = {
        "tiny/train/n01/images/n01_0.JPEG": flat(1), "tiny/train/n01/n01_boxes.txt": b"a\t0\t0",
        "tiny/train/n02/images/n02_0.JPEG": flat(2), "tiny/wnids.txt": b"n01\nn02\n",
        "tiny/val/images/val_0.JPEG": flat(12), "tiny/val/images/val_1.JPEG": flat(11),
        "tiny/val/val_annotations.txt": annotations, "tiny/test/images/test_0.JPEG": flat(20),
    }  # fmt: skip
    dataset = load(tmp_path, files, kind)
    assert dataset.class_names == ("n01", "n02")
    assert dataset.test is not None
    assert (shown(dataset.train.images), shown(dataset.test.images)) == ([1, 2], [11, 12])
    assert "Without a label and left out: 1 image in tiny/test/." in dataset.notes


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    """Images in no row, rows without an image, and images without a label."""
    rows = [*_rows("{}.png")[:4], "4.png,", "7.png,bee"]
    dataset = load(tmp_path, {**IMAGES, "labels.csv": csv("filename,label", *rows)})
    assert shown(dataset.train.images) == [1, 3, 0, 2]
    assert dataset.notes[1:] == (
        "In no row of it and left out: 2 images.",
        "Without an image that is there: 1 row.",
    )


@pytest.mark.parametrize("inside", ["list.csv#file,breed", "list.csv#,breed"])
def test_a_list_and_its_columns_can_be_named(tmp_path: Path, inside: str) -> None:
    """In place of the folder stands the list, with the columns to go by, whatever folders say."""
    files = {f"{'ant' if n < 3 else 'bee'}/{n}.png": flat(n) for n in range(6)}
    rows = (f"{n}.png,x{n % 3},{n % 2}" for n in range(6))
    files["list.csv"] = csv("file,breed,sex", *rows)
    dataset = load(tmp_path, files, inside=inside)
    assert dataset.class_names == ("x0", "x1", "x2")
    assert (dataset.name, shown(dataset.train.images)) == ("insects", [0, 3, 1, 4, 2, 5])
    assert load(tmp_path, files, inside="list.csv#file,sex").class_names == ("0", "1")
    folders = load(tmp_path, files)
    assert folders.class_names == ("ant", "bee")


def test_an_unused_list_is_named(tmp_path: Path) -> None:
    """Folders give the classes; a list that says otherwise is not passed over in silence."""
    files = {f"{'ant' if n < 3 else 'bee'}/{n}.png": flat(n) for n in range(6)}
    same = {"labels.csv": csv("filename,label", *(f"{n}.png,{n // 3}" for n in range(6)))}
    assert load(tmp_path / "same", {**files, **same}).notes == ()
    other = {"labels.csv": csv("filename,label", *(f"{n}.png,{n % 2}" for n in range(6)))}
    dataset = load(tmp_path / "other", {**files, **other})
    assert dataset.class_names == ("ant", "bee")
    assert dataset.notes == (
        "'labels.csv' lists labels and is not used, since the folders give the classes; name the "
        "list in place of the folder to go by it.",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_class_folders(tmp_path: Path, kind: str) -> None:
    """A list that has one number for each folder gives their order, and names if it has some."""
    files = {f"{'ant' if n < 3 else 'bee'}/{n}.png": flat(n) for n in range(6)}
    rows = (f"{n}.png,{7 - n // 3}" for n in range(6))
    dataset = load(tmp_path / "order", {**files, "l.csv": csv("filename,label", *rows)}, kind)
    assert (dataset.class_names, dataset.notes) == (("bee", "ant"), ())
    assert shown(dataset.train.images) == [3, 4, 5, 0, 1, 2]
    rows = (f"{n}.png,{7 - n // 3},{'Ant' if n < 3 else 'Bee'}" for n in range(6))
    named = {**files, "l.csv": csv("filename,label,class", *rows)}
    assert load(tmp_path / "names", named, kind).class_names == ("Bee", "Ant")


def test_names_of_numbers(tmp_path: Path) -> None:
    """Of a number and a name, the number gives the order and the name is that of the class."""
    rows = [f"{n}.png,{n % 2},{'wasp' if n % 2 == 0 else 'ant'}" for n in range(6)]
    dataset = load(tmp_path, {**IMAGES, "x.csv": csv("file,label,label_name", *rows)})
    assert dataset.class_names == ("wasp", "ant")
    assert shown(dataset.train.images) == [0, 2, 4, 1, 3, 5]
    for wrong in ("0.png,0,ant", "0.png,0,wasp2"):
        rows[0] = wrong
        dataset = load(tmp_path, {**IMAGES, "x.csv": csv("file,label,label_name", *rows)})
        assert dataset.class_names == ("0", "1")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"all images of .* are of the one class 'images'; sort them into a folder for each"),
        (
            {"labels.csv": csv("filename,label", *_rows("{}.png"), "0.png,ant")},
            r"'labels.csv' says that 'images/0.png' is 'bee' and 'ant'; an image has one label",
        ),
        (
            {"a.csv": csv("f,label", "0.png,ant"), "b.csv": csv("f,label", "0.png,bee")},
            r"'images/0.png' .* is 'ant' in one list and 'bee' in 'b.csv'; name the list",
        ),
        (
            {"labels.csv": csv("filename,width,height", *(f"{n}.png,6,4" for n in range(6)))},
            r"none of its columns \(filename, width, height\) is known for a label; name it: "
            r"labels.csv#filename,COLUMN",
        ),
        (
            {"labels.csv": csv("filename,label", *(f"{n}.png,ant" for n in range(6)))},
            r"all images of .* are of the one class 'ant'",
        ),
        (
            {"labels.csv": csv("filename,label,split", *(f"{n}.png,a{n},test" for n in range(6)))},
            r"name no training images",
        ),
        (
            {
                "labels.csv": csv(
                    "filename,label,split",
                    *(f"{n}.png,a{n},{'test' if n > 3 else 'train'}" for n in range(6)),
                )
            },
            r"class 'a4' has test images in .* but no training images",
        ),
        (
            {"labels.csv": csv("filename,label", *(f"{n}.png,a\x07{n}" for n in range(6)))},
            r"label 'a\\x07\d' .* cannot be printed",
        ),
    ],
)
def test_mistakes(tmp_path: Path, kind: str, files: Files, message: str) -> None:
    """What cannot be meant is one sentence."""
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path, {**IMAGES, **files}, kind)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("labels.csv#picture,label", "has no column 'picture'; it has filename, label"),
        ("labels.csv#filename,kind", "has no column 'kind'"),
        ("other.csv", "'other.csv' names no images of"),
        ("missing.csv", "unknown dataset"),
    ],
)
def test_wrong_choices(tmp_path: Path, inside: str, message: str) -> None:
    """A list or a column that is not there is one sentence, too."""
    files = {**IMAGES, **FORMS["labels.csv"], "other.csv": csv("a,b", "1x,2")}
    with pytest.raises(DataError, match=message):
        load(tmp_path, files, inside=inside)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\0\0\0", b"[", b"[" * 100_000, b"filename", b"filename,label", b"\xff\xfe\x00",
        b'"' * 999, b"[[1,2],3]", b'{"a": [1]}', b"null", b"1", b"a,b\n" * 9,
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.jsonl", "x.txt", "x.tsv"])
def test_files_that_are_no_lists(tmp_path: Path, name: str, data: bytes) -> None:
    """Whatever else lies beside the images is passed over."""
    files = {**IMAGES, **FORMS["labels.csv"], name: data}
    assert load(tmp_path, files).class_names == ("ant", "bee")

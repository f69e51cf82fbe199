"""Images in Parquet files and WebDataset shards, others' and what `ddc decode` writes."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from image_trees import Files, flat, write_folder, write_tar

from ddcodec.cli import ddc
from ddcodec.codec.decode import decode_bytes
from ddcodec.datasets import Dataset, load_dataset
from ddcodec.datasets.given_images import load_given_images
from ddcodec.errors import DataError
from ddcodec.export import EXPORTERS

pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")

GOLDEN = Path(__file__).parents[2] / "golden"
ONE, TWO = flat(1), flat(2)
LABELLED: Files = {"0.png": ONE, "0.cls": b"1", "1.png": TWO}
LABELS = [1, 0, 1]


def load(path: Path, tmp_path: Path, **options: Any) -> Dataset:
    """Load what lies at a path."""
    return load_dataset(str(path), cache_dir=tmp_path / "cache", **options)


def shown(images: np.ndarray) -> list[int]:
    """Return the number of each image."""
    return images[:, 0, 0, 0].tolist()


def parquet(names: list[str] | None = None, **columns: list[Any]) -> bytes:
    """Return the bytes of a table, with the names of a ClassLabel where there are some."""
    table = pyarrow.table(columns)
    if names is not None:
        features = {"label": {"names": names, "_type": "ClassLabel"}}
        described = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": described})
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream)
    return stream.getvalue()


def pictures(*values: int) -> list[dict[str, Any]]:
    """Return images as `datasets` keeps them."""
    return [{"bytes": flat(value), "path": f"{value}.png"} for value in values]


@pytest.mark.parametrize(
    "columns",
    [
        {"image": pictures(1, 2, 3), "label": LABELS},
        {"img": pictures(1, 2, 3), "fine_label": LABELS, "coarse_label": [0, 0, 0]},
        {"picture": [flat(1), flat(2), flat(3)], "labels": LABELS},
        {"id": [7, 8, 9], "image": pictures(1, 2, 3), "label": ["bee", "ant", "bee"]},
    ],
)
def test_columns(tmp_path: Path, columns: dict[str, list[Any]]) -> None:
    """Columns are found by name, texts are names of classes."""
    (tmp_path / "x.parquet").write_bytes(parquet(**columns))
    dataset = load(tmp_path / "x.parquet", tmp_path)
    assert shown(dataset.train.images) == [1, 2, 3]
    assert dataset.train.labels.tolist() == LABELS
    assert dataset.class_names in (("0", "1"), ("ant", "bee"))
    assert (dataset.name, dataset.test) == ("x", None)


def test_a_folder_as_it_is_downloaded(tmp_path: Path) -> None:
    """Shards of splits, names from the metadata; the order of labels is theirs."""
    names = ["wasp", "ant", "bee"]
    files: Files = {
        "README.md": b"# insects",
        "data/train-00000-of-00002.parquet": parquet(names, image=pictures(1, 2), label=[0, 1]),
        "data/train-00001-of-00002.parquet": parquet(names, image=pictures(3), label=[2]),
        "data/validation-00000-of-00001.parquet": parquet(names, image=pictures(4), label=[0]),
        "data/test-00000-of-00001.parquet": parquet(names, image=pictures(5, 6), label=[2, 0]),
    }
    dataset = load(write_folder(tmp_path / "insects", files), tmp_path)
    assert dataset.class_names == tuple(names)
    assert (shown(dataset.train.images), dataset.train.labels.tolist()) == ([1, 2, 3], [0, 1, 2])
    assert dataset.test is not None
    assert (shown(dataset.test.images), dataset.test.labels.tolist()) == ([5, 6], [2, 0])
    assert dataset.notes == ("validation is not used: test is what is tested on.",)


def test_paths_in_a_table(tmp_path: Path) -> None:
    """Images may lie beside the table; not outside its folder."""
    table = parquet(path=["a/1.png", "a/2.png"], label=[0, 1])
    files = {"a/1.png": flat(1), "a/2.png": flat(2), "x.parquet": table}
    folder = write_folder(tmp_path / "set", files)
    assert shown(load(folder / "x.parquet", tmp_path).train.images) == [1, 2]
    (folder / "y.parquet").write_bytes(parquet(path=["../1.png", "a/2.png"], label=[0, 1]))
    with pytest.raises(DataError, match=r"names '../1.png', which is outside the folder"):
        load(folder / "y.parquet", tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"junk", r"cannot read '.*x.parquet' \(.*\); download or write it again"),
        (parquet(a=[1, 2], b=[1.5, 2]), "has the columns a, b, none of which is known for images"),
        (parquet(image=pictures(1), a=[1], b=[2]), "columns image, a, b, .* known for labels"),
        (parquet(image=pictures(1, 2), label=[0, None]), "row 1 has no label; leave it out"),
        (parquet(image=[None, pictures(1)[0]], label=[0, 1]), "row 0 has no image; leave it out"),
        (parquet(image=[b"x", flat(1)], label=[0, 1]), "row 0' is not a readable image"),
        (parquet(image=[ONE, flat(1, size=(7, 4))], label=[0, 1]), "6x4 to 7x4 pixels; .* --size"),
        (parquet(["a"], image=pictures(1, 2), label=[0, 1]), "1 different class names but labels"),
        (parquet(image=pictures(1), label=[-1]), "labels run from -1 to -1"),
    ],
)  # fmt: skip
def test_wrong_tables(tmp_path: Path, data: bytes, message: str) -> None:
    """What is wrong is one sentence that names the file and row."""
    (tmp_path / "x.parquet").write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / "x.parquet", tmp_path)
    assert "\n" not in str(caught.value)


SHARDS: dict[str, Files] = {
    "cls": LABELLED | {"1.cls": b"0"},
    "label first, folders": {"a/0.cls": b"1\n", "a/0.png": ONE, "b/0.cls": b"0", "b/0.png": TWO},
    "json": {"0.png": ONE, "0.json": b'{"label": 1}', "1.png": TWO, "1.json": b'{"label": 0}'},
    "texts": {"0.png": ONE, "0.cls": b"bee", "1.png": TWO, "1.cls": b"ant"},
    "more members": {"0.seg.txt": b"x"} | LABELLED | {"1.cls": b"0"},
}


@pytest.mark.parametrize("form", SHARDS)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_shards(tmp_path: Path, form: str, mode: str) -> None:
    """A label is what has the key of the image."""
    path = tmp_path / ("x.tar" if mode == "w" else "x.tar.gz")
    write_tar(path, SHARDS[form], mode)
    dataset = load(path, tmp_path)
    assert (shown(dataset.train.images), dataset.train.labels.tolist()) == ([1, 2], [1, 0])
    assert dataset.class_names in (("0", "1"), ("ant", "bee"))


def test_shards_of_splits(tmp_path: Path) -> None:
    """Splits are in the names of shards, class names beside them."""
    folder = write_folder(tmp_path / "set", {"classes.json": b'["wasp", "ant"]'})
    for name, value in (("train-000", 1), ("train-001", 2), ("val-000", 3)):
        members = {"0.png": flat(value), "0.cls": str(value % 2).encode()}
        write_tar(folder / f"{name}.tar", members)
    dataset = load(folder, tmp_path)
    assert dataset.class_names == ("wasp", "ant")
    assert (shown(dataset.train.images), dataset.train.labels.tolist()) == ([1, 2], [1, 0])
    assert dataset.test is not None and shown(dataset.test.images) == [3]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, r"'1.png' in .* has no label beside it; add '1.cls'"),
        ({"1.cls": b""}, "has no label beside it"),
        ({"1.png": b"x", "1.cls": b"0"}, r"'1.png in .*' is not a readable"),
        ({"1.cls": b"a"}, "some labels .* texts"),
        ({"1.cls": b"9" * 2**21}, "too long for a label"),
    ],
)
def test_wrong_shards(tmp_path: Path, members: Files, message: str) -> None:
    """What is wrong is one sentence."""
    write_tar(tmp_path / "x.tar", LABELLED | members)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / "x.tar", tmp_path)
    assert "\n" not in str(caught.value)


def test_only_held_out_rows(tmp_path: Path) -> None:
    """A lone split is the whole dataset; two held-out ones have nothing to train on."""
    table = parquet(image=pictures(1, 2), label=[0, 1])
    lone = write_folder(tmp_path / "lone", {"test.parquet": table})
    assert len(load(lone, tmp_path).train) == 2
    both = write_folder(tmp_path / "both", {"test.parquet": table, "val.parquet": table})
    with pytest.raises(DataError, match="has test, val but no training images"):
        load(both, tmp_path)


@pytest.mark.parametrize("size", [None, 8])
@pytest.mark.parametrize("name", EXPORTERS)
def test_what_decode_writes_is_read(
    tmp_path: Path, name: str, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every export is a dataset with the pixels, labels and class names of its file."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    file = GOLDEN / "pixels.ddc"
    target = tmp_path / f"out{EXPORTERS[name].suffix}"
    arguments = ["decode", str(file), "--format", name, "-o", str(target)]
    assert CliRunner().invoke(ddc, arguments).exit_code == 0
    expected = decode_bytes(file.read_bytes())
    dataset = load(target, tmp_path, size=size)
    assert dataset.class_names == expected.class_names
    assert sorted(dataset.train.labels.tolist()) == sorted(expected.labels.tolist())
    if size is None:
        given = load_given_images(target).dataset
        for found in (dataset, given):
            order = np.argsort(found.train.labels, kind="stable")
            assert np.array_equal(found.train.images[order], expected.images)


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
@pytest.mark.parametrize("is_large", [False, True])
def test_encodings_of_parquet(tmp_path: Path, encoding: str, is_large: bool) -> None:
    """Values that no dictionary holds, as other programs write them, are read in any encoding."""
    kind = pyarrow.large_binary() if is_large else pyarrow.binary()
    images = pyarrow.array([flat(n) for n in range(200)], kind)
    table = pyarrow.table({"image": images, "label": ["a", "b"] * 100})
    path = tmp_path / "x.parquet"
    options = {"use_dictionary": ["label"], "column_encoding": {"image": encoding}}
    pyarrow.parquet.write_table(
        table, path, row_group_size=30, data_page_size=1000, data_page_version="2.0", **options
    )
    assert shown(load(path, tmp_path).train.images) == list(range(200))


def test_files_of_other_types(tmp_path: Path) -> None:
    """Files of one split keep images each in its way; one whose column holds none is named."""
    write_folder(tmp_path / "a", {"0.parquet": parquet(image=pictures(1, 2), label=[0, 1])})
    write_folder(tmp_path / "a", {"1.parquet": parquet(image=[flat(3), flat(4)], label=[0, 1])})
    assert shown(load(tmp_path / "a", tmp_path).train.images) == [1, 2, 3, 4]
    write_folder(tmp_path / "a", {"2.parquet": parquet(image=[[ONE], [TWO]], label=[0, 1])})
    with pytest.raises(DataError, match=r"2.parquet' has no such column 'image' as others have"):
        load(tmp_path / "a", tmp_path)

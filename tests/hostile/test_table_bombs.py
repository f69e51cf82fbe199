"""Tables, shards and lists of labels that claim more than they hold."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import table_bombs as bombs
from array_bombs import MIB
from bounded import needs_linux, outcome
from image_trees import flat

from ddcodec.datasets import load_dataset
from ddcodec.datasets.layouts.image_index import ImageIndex
from ddcodec.datasets.layouts.list_table import MAX_COLUMNS, read_list_table

pytestmark = needs_linux
NO_CLASS = "image '0.png' in '.*' is in no class folder"
READ = "^$"

Craft = Callable[[Path], Path]


def _check(tmp_path: Path, craft: Craft, message: str, most_mib: int) -> None:
    path = craft(tmp_path)
    found = outcome(lambda: load_dataset(str(path), cache_dir=tmp_path / "cache"), limit_seconds=30)
    assert not found.fault, found.fault
    assert re.search(message, found.message), found.message
    assert "\n" not in found.message and len(found.message) < 1000
    assert found.peak_bytes < most_mib * MIB


@pytest.mark.parametrize(
    ("craft", "message", "most_mib"),
    [
        (bombs.images_parquet, "row 0' is 17 MiB; images may be at most 512x512", 160),
        (bombs.rows_parquet, r"claims 3,000,000 rows in [\d,]+ bytes; write it again", 32),
        (bombs.labels_parquet, "row 0 has a label of 5,242,880 characters; one may", 64),
        (bombs.long_label_parquet, READ, 32),
        (bombs.columns_parquet, "a column with a long name 11, …, none of which", 64),
        (bombs.nested_parquet, READ, 64),
    ],
)
def test_parquet(tmp_path: Path, craft: Craft, message: str, most_mib: int) -> None:
    """A value of many rows is there once; rows, columns and descriptions are bounded."""
    pytest.importorskip("pyarrow")
    _check(tmp_path, craft, message, most_mib)


@pytest.mark.parametrize(
    ("craft", "message"),
    [
        (bombs.image_shard, "'1.png' in '.*' is too large to be an image of a dataset"),
        (lambda folder: bombs.label_shard(folder, b"9" * 5000), "a label of 5,000 characters"),
        (lambda folder: bombs.label_shard(folder, b"x" * 900_000), "a label of 900,000 char"),
        (
            lambda folder: bombs.label_shard(folder, b'{"label": ' + b"9" * 40 + b"}", "json"),
            "of type object; expected one whole number",
        ),
        (bombs.description, READ),
    ],
)
def test_shards(tmp_path: Path, craft: Craft, message: str) -> None:
    """Images, labels and descriptions are bounded before they are read."""
    _check(tmp_path, craft, message, 32)


@pytest.mark.parametrize(
    ("craft", "message", "most_mib"),
    [
        (bombs.rows_csv, NO_CLASS, 320),
        (bombs.lines_csv, NO_CLASS, 320),
        (bombs.columns_csv, NO_CLASS, 320),
        (bombs.line_csv, NO_CLASS, 320),
        (bombs.deep_json, NO_CLASS, 32),
        (bombs.wide_json, NO_CLASS, 320),
        (bombs.keys_jsonl, NO_CLASS, 64),
        (bombs.slashes, READ, 320),
        (bombs.deep_tar, "whose path is absurdly long or deep", 16),
    ],
)
def test_lists(tmp_path: Path, craft: Craft, message: str, most_mib: int) -> None:
    """Lists take their text a few times over, and what is absurd is no list."""
    _check(tmp_path, craft, message, most_mib)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A description that is a pipe is passed over."""
    path = bombs.label_shard(tmp_path, b"0")
    os.mkfifo(tmp_path / "dataset.json")
    found = outcome(lambda: load_dataset(str(path), cache_dir=tmp_path / "c"), limit_seconds=10)
    assert not found.fault and not found.message


def test_images_of_one_name_are_found_by_their_folders() -> None:
    """Of a thousand images of a name the nearest is looked up, not looked for; or none is."""
    index = ImageIndex(f"all/{n}/0.png" for n in range(1000))
    assert index.find("C:\\data\\all\\7\\0.png", "", None) == "all/7/0.png"
    assert index.find("elsewhere/8/0", "", None) == "all/8/0.png"
    assert index.find("elsewhere/0.png", "", None) is None
    few = ImageIndex(("train/0.png", "test/0.png"))
    assert few.find("0.png", "", "test") == "test/0.png"
    assert few.find("x/" * 60_000 + "train/0.png", "", None) == "train/0.png"


def test_columns_up_to_the_limit() -> None:
    """A table of four thousand columns is one, another is none."""
    line = ",".join(["0.png"] + ["0"] * (MAX_COLUMNS - 1)).encode()
    table = read_list_table(line + b"\n" + line, "labels.csv")
    assert table is not None and len(table.rows) == 2
    assert read_list_table(line + b",0\n" + line + b",0", "labels.csv") is None


def test_columns_of_categories(tmp_path: Path) -> None:
    """What pandas keeps apart from its rows is read as what it is."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    column = pyarrow.array(["ant", "bee"] * 3).dictionary_encode()
    images = pyarrow.array([flat(n) for n in range(6)])
    table = pyarrow.table({"image": images, "label": column})
    parquet.write_table(table, tmp_path / "x.parquet")
    found = load_dataset(str(tmp_path / "x.parquet"), cache_dir=tmp_path / "c")
    assert found.class_names == ("ant", "bee") and len(found.train) == 6

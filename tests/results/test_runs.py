"""Folders of finished points: what is read, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from ddcodec.errors import DataError
from ddcodec.kept.seal import sealed_json
from ddcodec.results.runs import (
    SHIP,
    evaluation_path,
    read_evaluation,
    read_files,
    read_json,
    read_points,
)

EVALUATION: dict[str, Any] = {
    "dataset": "cifar10", "protocol": "quick", "arch": "convnet", "split": "test",
    "file_bytes": 9990, "bits_per_class": 7992.0, "accuracies": [40.5, 41], "num_images": 320,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One point evaluated on both splits, one not evaluated, and a shipped model."""
    for name, loss in (("dm-1k-seed3", "dm"), ("none-1k-seed0", "none")):
        record = {"recipe": {"loss": loss, "seed": int(name[-1])}}
        (tmp_path / f"{name}.ddc.json").write_text(json.dumps(record))
    (tmp_path / "dm-1k-seed3.ddc").write_bytes(b"")
    (tmp_path / "dm-1k-seed3.test.json").write_text(json.dumps(EVALUATION))
    (tmp_path / "dm-1k-seed3.val.json").write_text(json.dumps(EVALUATION | {"split": "val"}))
    ship = EVALUATION | {"num_images": None, "baseline": SHIP}
    (tmp_path / "ship-1k.json").write_text(json.dumps(ship))
    return tmp_path


def test_points(folder: Path) -> None:
    """Evaluated points with loss and seed; shipped models belong to the test set."""
    point, ship = read_points(folder, "test")
    assert (point.name, point.loss, point.seed) == ("dm-1k-seed3", "dm", 3)
    assert (point.evaluation.accuracies, point.evaluation.num_images) == ((40.5, 41), 320)
    assert (ship.name, ship.loss, ship.evaluation.num_images) == ("ship-1k", SHIP, None)
    assert [point.name for point in read_points(folder, "val")] == ["dm-1k-seed3"]


def test_files(folder: Path) -> None:
    """Files with a record, evaluated or not; records without a file are left out."""
    assert read_files(folder) == [(folder / "dm-1k-seed3.ddc", "dm")]


def test_name_of_an_evaluation() -> None:
    """It stands beside the file, with the split in its name."""
    assert evaluation_path(Path("runs/dm-0.5k.ddc"), "val") == Path("runs/dm-0.5k.val.json")


def test_empty_folders(tmp_path: Path) -> None:
    """No folder and nothing in it are different sentences."""
    with pytest.raises(DataError, match="There is no folder"):
        read_points(tmp_path / "none", "test")
    with pytest.raises(DataError, match="holds no file evaluated on 'test'"):
        read_points(tmp_path, "test")
    with pytest.raises(DataError, match=r"holds no \.ddc with a record"):
        read_files(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00", "[" * 100_000])
def test_damaged_json(folder: Path, text: str) -> None:
    """The file is named, whichever it is."""
    for name in ("dm-1k-seed3.test.json", "none-1k-seed0.ddc.json", "ship-1k.json"):
        kept = (folder / name).read_text()
        (folder / name).write_text(text)
        with pytest.raises(DataError, match=f"{name}' is damaged"):
            read_points(folder, "test")
        (folder / name).write_text(kept)


def test_a_changed_digit(folder: Path) -> None:
    """What carries a checksum is refused with another digit, and read once that line is out."""
    for name, old, new in (
        ("dm-1k-seed3.test.json", b"40.5", b"48.5"),
        ("none-1k-seed0.ddc.json", b'"none"', b'"nome"'),
        ("ship-1k.json", b"9990", b"9991"),
    ):
        path = folder / name
        path.write_bytes(sealed_json(json.loads(path.read_bytes())))
        assert len(read_points(folder, "test")) == 2
        whole = path.read_bytes()
        path.write_bytes(whole.replace(old, new))
        with pytest.raises(DataError, match=f"{name}' is damaged: its checksum .* line 'sha256'"):
            read_points(folder, "test")
        path.write_bytes(whole)


def test_json_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder or bytes that are no text."""
    with pytest.raises(DataError, match="Cannot read"):
        read_json(tmp_path)
    (tmp_path / "x.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="damaged"):
        read_json(tmp_path / "x.json")


def test_foreign_record(folder: Path) -> None:
    """A record without a loss is no record."""
    (folder / "dm-1k-seed3.ddc.json").write_text('{"recipe": {"loss": 3}}')
    with pytest.raises(DataError, match="is not a record"):
        read_points(folder, "test")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", 3), ("protocol", None), ("file_bytes", "9990"), ("file_bytes", 0),
        ("bits_per_class", float("inf")), ("bits_per_class", -1), ("accuracies", []),
        ("accuracies", [True]), ("accuracies", [101]), ("accuracies", 3), ("num_images", "x"),
    ],
)  # fmt: skip
def test_strange_evaluations(tmp_path: Path, name: str, value: object) -> None:
    """Values of a wrong type or outside their range are refused."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps(EVALUATION | {name: value}))
    with pytest.raises(DataError, match="is no evaluation"):
        read_evaluation(path)

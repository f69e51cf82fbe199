"""A folder of finished points: what `ddc sweep` leaves, read back to be drawn and tabled.

A point is `NAME.ddc`, its record `NAME.ddc.json`, its log `NAME.jsonl`, and an evaluation for each
split, `NAME.test.json` or `NAME.val.json`, as `ddc eval --json` prints it. Reports of the baseline
*ship the model* lie beside them as `ship-….json`. All of these carry a checksum, which is compared,
but for logs: documents of which curves are drawn, and whose lines are looked through one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddcodec.errors import DataError
from ddcodec.kept.seal import CHECKSUM, ChecksumError, checked_json

FILE_SUFFIX, RECORD_SUFFIX, LOG_SUFFIX = ".ddc", ".ddc.json", ".jsonl"
SHIP_PATTERN = "ship-*.json"
SHIP = "ship the model"

_LARGEST = 1e300


@dataclass(frozen=True)
class Evaluation:
    """What networks trained on a file reached.

    Attributes:
        dataset: its name.
        protocol, arch: how they were trained.
        split: `test` or `val`.
        file_bytes: size of the file.
        bits_per_class: of the whole file.
        accuracies: in per cent, one for each network.
        num_images: of the training set; None for a shipped model, which has none.
    """

    dataset: str
    protocol: str
    arch: str
    split: str
    file_bytes: int
    bits_per_class: float
    accuracies: tuple[float, ...]
    num_images: int | None


@dataclass(frozen=True)
class Point:
    """A finished and evaluated file.

    Attributes:
        name: its file without suffix.
        loss: what it was optimised for, or SHIP.
        seed: of the run.
        evaluation: on the chosen split.
    """

    name: str
    loss: str
    seed: int
    evaluation: Evaluation


def evaluation_path(file: Path, split: str) -> Path:
    """Return where the evaluation of `NAME.ddc` lies."""
    return file.with_name(f"{file.name.removesuffix(FILE_SUFFIX)}.{split}.json")


def read_points(folder: Path, split: str) -> list[Point]:
    """Read every evaluated point of a folder, by name, shipped models last.

    Raises:
        DataError: if there is no such folder, nothing in it was evaluated on the split, or a file
            is damaged.
    """
    points = []
    for file, record in _records(folder):
        measured = evaluation_path(file, split)
        if measured.exists():
            settings = record["recipe"]
            seed = settings.get("seed")
            points.append(
                Point(
                    file.name.removesuffix(FILE_SUFFIX),
                    settings["loss"],
                    seed if isinstance(seed, int) else 0,
                    read_evaluation(measured),
                )
            )
    if split == "test":
        ships = sorted(folder.glob(SHIP_PATTERN))
        points += [Point(path.stem, SHIP, 0, read_evaluation(path)) for path in ships]
    if not points:
        raise DataError(
            f"'{folder}' holds no file evaluated on '{split}'; 'ddc sweep DATASET -o {folder}' "
            "makes and evaluates some."
        )
    return points


def read_files(folder: Path) -> list[tuple[Path, str]]:
    """Return every file of a folder that has a record, by name, with its loss.

    Raises:
        DataError: if there is no such folder, or nothing in it, or a record is damaged.
    """
    found = [(file, record["recipe"]["loss"]) for file, record in _records(folder) if file.exists()]
    if not found:
        raise DataError(
            f"'{folder}' holds no .ddc with a record; 'ddc sweep DATASET -o {folder}' makes some."
        )
    return found


def _records(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return each file that a record names, and the record; its loss is text."""
    if not folder.is_dir():
        raise DataError(f"There is no folder '{folder}'; 'ddc sweep DATASET -o {folder}' fills it.")
    found = []
    for path in sorted(folder.glob(f"*{RECORD_SUFFIX}")):
        record = read_json(path)
        settings = record.get("recipe")
        if not isinstance(settings, dict) or not isinstance(settings.get("loss"), str):
            raise DataError(f"'{path}' is not a record of 'ddc distill'; delete it.")
        found.append((path.with_name(path.name.removesuffix(".json")), record))
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, a result that is used: its checksum is compared where it has one.

    Raises:
        DataError: if it cannot be read, is none, or is not what was written.
    """
    try:
        return checked_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"Cannot read '{path}': {error.strerror}.") from error
    except ChecksumError as error:
        raise DataError(
            f"'{path}' is damaged: its checksum is not that of its content; delete it to make it "
            f"anew, or its line '{CHECKSUM}' if you changed it yourself."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"'{path}' is damaged: it is no JSON object; delete it to make it anew."
        ) from error


def read_evaluation(path: Path) -> Evaluation:
    """Read what `ddc eval --json` printed, or the report of a shipped model.

    Raises:
        DataError: if it is neither.
    """
    facts = read_json(path)
    texts = {name: _text(facts, name, path) for name in ("dataset", "protocol", "arch", "split")}
    size = _number(facts.get("file_bytes"), "file_bytes", path)
    bits = _number(facts.get("bits_per_class"), "bits_per_class", path)
    accuracies = facts.get("accuracies")
    if not isinstance(accuracies, list) or not accuracies:
        raise _strange(path, "accuracies")
    values = tuple(_number(value, "accuracies", path) for value in accuracies)
    if size <= 0 or bits <= 0 or not all(0 <= value <= 100 for value in values):
        raise _strange(path, "accuracies" if size > 0 and bits > 0 else "file_bytes")
    count = facts.get("num_images")
    images = None if count is None else int(_number(count, "num_images", path))
    return Evaluation(
        **texts, file_bytes=int(size), bits_per_class=bits, accuracies=values, num_images=images
    )


def _text(facts: Mapping[str, Any], name: str, path: Path) -> str:
    value = facts.get(name)
    if not isinstance(value, str):
        raise _strange(path, name)
    return value


def _number(value: Any, name: str, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        raise _strange(path, name)
    return value


def _strange(path: Path, name: str) -> DataError:
    return DataError(
        f"'{path}' is no evaluation: '{name}' is missing or strange; name one written by "
        "'ddc eval --json'."
    )

"""Read a list beside images as a table: CSV and its kin, JSON, lines of JSON, plain columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LIST_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
MAX_LIST_BYTES = 64 * 2**20

MAX_TABLE_BYTES = 2**29
"""Of the texts and rows that a list is made into; lists of two million images are smaller."""

MAX_COLUMNS = 2**12

_ROW_BYTES, _CELL_BYTES = 200, 64
_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 20


@dataclass(frozen=True)
class ListTable:
    """Hold the cells of a list.

    Attributes:
        columns: their names, or None where the first line may be one of names or of values.
        rows: one cell a column, all of a length.
    """

    columns: tuple[str, ...] | None
    rows: tuple[tuple[str, ...], ...]

    def with_header(self) -> ListTable:
        """Return the table with the first row as the names of columns, if it has none yet."""
        if self.columns is not None or not self.rows:
            return self
        return ListTable(self.rows[0], self.rows[1:])


def is_list_name(path: str) -> bool:
    """Tell whether the file name ends like a list."""
    return path.lower().endswith(LIST_SUFFIXES)


def read_list_table(data: bytes, path: str) -> ListTable | None:
    """Return the table in a file, or None where there is none of at least two columns.

    Neither is there one in a file that a table of absurd size would be made of, rows and cells
    together or columns alone.
    """
    text = data.decode("utf-8-sig", errors="replace").replace("\0", "")
    suffix = path.lower().rpartition(".")[2]
    if _table_bytes(text, suffix) > MAX_TABLE_BYTES:
        return None
    try:
        if suffix == "json":
            return _of_json(json.loads(text))
        if suffix in ("jsonl", "ndjson"):
            return _of_records([json.loads(line) for line in text.splitlines() if line.strip()])
        return _of_lines(text, suffix)
    except (ValueError, RecursionError, csv.Error):
        return None


def _table_bytes(text: str, suffix: str) -> int:
    """Return about what memory the lines or the values in a text would take."""
    rows = sum(map(text.count, "{[" if suffix == "json" else f"{_LINE_ENDS}{{["))
    cells = sum(map(text.count, f"{_DELIMITERS} " if suffix == "txt" else _DELIMITERS))
    return _ROW_BYTES * rows + _CELL_BYTES * cells


def _of_json(value: Any) -> ListTable | None:
    """Return the table of a list of objects, or of an object of labels by name."""
    if isinstance(value, list):
        return _of_records(value)
    if not isinstance(value, dict) or not value:
        return None
    if (joined := _of_annotations(value)) is not None:
        return joined
    if all(isinstance(label, str | int) for label in value.values()):
        return ListTable(None, tuple((str(name), str(label)) for name, label in value.items()))
    longest = max((v for v in value.values() if isinstance(v, list)), key=len, default=None)
    return None if longest is None else _of_records(longest)


def _of_annotations(value: dict[str, Any]) -> ListTable | None:
    """Return the table of images, annotations and categories that refer to each other (COCO)."""
    try:
        files = {image["id"]: str(image["file_name"]) for image in value["images"]}
        names = {kind["id"]: str(kind["name"]) for kind in value.get("categories", [])}
        rows = tuple(
            (files[note["image_id"]], str(note["category_id"]), names.get(note["category_id"], ""))
            for note in value["annotations"]
        )
    except (KeyError, TypeError):
        return None
    return ListTable(("file_name", "label", "label_name"), rows)


def _of_records(records: list[Any]) -> ListTable | None:
    if not records:
        return None
    if all(isinstance(record, list) and len(record) == 2 for record in records):
        return ListTable(None, tuple((str(a), str(b)) for a, b in records))
    if not all(isinstance(record, Mapping) for record in records):
        return None
    columns = tuple(dict.fromkeys(str(name) for record in records for name in record))
    # Each row has a cell of each of them.
    if len(columns) > MAX_COLUMNS or len(columns) * len(records) * 8 > MAX_TABLE_BYTES:
        return None
    rows = tuple(tuple(_cell(record.get(name)) for name in columns) for record in records)
    return ListTable(columns, rows) if len(columns) > 1 else None


def _cell(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _of_lines(text: str, suffix: str) -> ListTable | None:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        return None
    delimiter = "\t" if suffix == "tsv" else _delimiter(lines[:_SAMPLE_LINES])
    if delimiter is None:
        if suffix != "txt":
            return None
        rows = [line.split() for line in lines]
    else:
        rows = list(csv.reader((f"{line}\n" for line in lines), delimiter=delimiter))
    width = len(rows[0])
    if not 2 <= width <= MAX_COLUMNS:
        return None
    cells = (tuple(cell.strip() for cell in row) for row in rows)
    # Whatever is shorter or longer than the first line has no column to be of.
    return ListTable(None, tuple(row for row in cells if len(row) == width))


def _delimiter(lines: list[str]) -> str | None:
    """Return what divides all lines alike, the most frequent first."""
    counts = {mark: [line.count(mark) for line in lines] for mark in _DELIMITERS}
    able = [mark for mark, found in counts.items() if min(found) > 0]
    return max(able, key=lambda mark: min(counts[mark]), default=None)

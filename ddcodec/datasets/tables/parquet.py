"""Parquet files of images, as Hugging Face `datasets` and `ddc decode` write them."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

from ddcodec.datasets.claims import check_claim
from ddcodec.datasets.layouts.label_list import LABEL_COLUMNS
from ddcodec.datasets.tables.parquet_claims import (
    BATCH_ROWS,
    REMEDY,
    check_claims,
    check_metadata_size,
    dictionary_columns,
)
from ddcodec.datasets.tables.row import Row
from ddcodec.datasets.tables.table_files import files_by_split, ordered_splits, visible_files
from ddcodec.datasets.trees.image import MAX_RESIZED_FILE_BYTES
from ddcodec.datasets.trees.member import Place, Storage
from ddcodec.datasets.wording import some_of
from ddcodec.errors import DataError

SUFFIX = ".parquet"
IMAGE_COLUMNS = ("image", "img", "picture", "photo", "jpg", "png", "pixels", "file", "path")
MAX_PATH_CHARACTERS = 4096
MAX_DESCRIPTION_BYTES = 2**22


class ParquetRows:
    """Read a file, or all files of a folder; see `RowSource`.

    Raises:
        DataError: pyarrow is missing, a file is damaged, or has no column of images or of labels.
    """

    def __init__(self, path: Path) -> None:
        files = [path] if path.is_file() else parquet_files(path)
        self._files = files_by_split(files, path, lambda file: file.stem)
        first = next(files[0] for files in self._files.values())
        with _reading(first) as parquet:
            schema = parquet.schema_arrow
            self._image = _column(schema, IMAGE_COLUMNS, _holds_images, "images", first)
            self._label = _column(schema, LABEL_COLUMNS, _holds_labels, "labels", first)
            self.class_names = _names(schema, self._label)

    def splits(self) -> tuple[str, ...]:
        """See `RowSource`."""
        return ordered_splits(self._files)

    def rows(self, split: str) -> Iterator[Row]:
        """See `RowSource`."""
        for file in self._files[split]:
            yield from self._rows_of(file)

    def _rows_of(self, file: Path) -> Iterator[Row]:
        number = held_bytes = 0
        holder = str(file.resolve())
        stored_bytes = file.stat().st_size
        for batch in self._batches(file):
            # One by one: in a column of a hundred rows an image may be there a hundred times.
            for row in range(batch.num_rows):
                where = f"{file}, row {number}"
                label = batch[self._label][row].as_py()
                if label is None:
                    raise DataError(f"{where} has no label; leave it out.")
                picture = batch[self._image][row].as_py()
                held_bytes += _held_bytes(picture)
                check_claim(held_bytes, stored_bytes, f"'{file}'", REMEDY)
                place = Place(Storage.TABLE_ROW, holder, number)
                yield where, _bytes(picture, file, where), label, place
                number += 1

    def _batches(self, file: Path) -> Iterator[Any]:
        with _reading(file) as parquet:
            schema = parquet.schema_arrow
            for name, fits in ((self._image, _holds_images), (self._label, _holds_labels)):
                if name not in schema.names or not fits(_value_type(schema.field(name).type)):
                    raise DataError(f"'{file}' has no such column '{name}' as others have.")
            columns = [*_image_columns(schema, self._image), self._label]
            apart = dictionary_columns(
                parquet, [n for n in columns if _is_bytes_or_text(schema, n)]
            )
            check_claims(parquet, file, columns, apart)
        with _reading(file, apart) as parquet:
            # Of a batch that is in two row groups pyarrow cannot keep values apart from its rows.
            for group in range(parquet.metadata.num_row_groups):
                yield from _batches_of(parquet, group, columns)


class ParquetImages:
    """Read single images of a file. A row costs the reading of its row group up to it.

    Raises:
        DataError: The file cannot be read, or is not what it was.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        with _reading(file) as parquet:
            schema, metadata = parquet.schema_arrow, parquet.metadata
            self._column = _column(schema, IMAGE_COLUMNS, _holds_images, "images", file)
            self._columns = _image_columns(schema, self._column)
            packed = [name for name in self._columns if _is_bytes_or_text(schema, name)]
            self._apart = dictionary_columns(parquet, packed)
            check_claims(parquet, file, self._columns, self._apart)
            groups = range(metadata.num_row_groups)
            self._ends = list(accumulate(metadata.row_group(one).num_rows for one in groups))

    def at(self, rows: Sequence[int]) -> Iterator[bytes]:
        """Yield the files of images by their rows, which do not fall."""
        with _reading(self._file, self._apart) as parquet:
            for group, wanted in groupby(rows, lambda row: bisect_right(self._ends, row)):
                if group >= len(self._ends):
                    raise DataError(f"'{self._file}' has fewer rows than it had; try again.")
                yield from self._of_group(parquet, group, wanted)

    def _of_group(self, parquet: Any, group: int, wanted: Iterator[int]) -> Iterator[bytes]:
        start = self._ends[group - 1] if group else 0
        batches = _batches_of(parquet, group, self._columns)
        batch = None
        for row in wanted:
            while batch is None or row >= start + batch.num_rows:
                start += 0 if batch is None else batch.num_rows
                batch = next(batches)
            picture = batch[self._column][row - start].as_py()
            yield _bytes(picture, self._file, f"{self._file}, row {row}")


def _batches_of(parquet: Any, group: int, columns: Sequence[str]) -> Iterator[Any]:
    batches: Iterator[Any] = parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns)
    return batches


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files at any depth of a folder, sorted, none hidden."""
    return visible_files(folder, lambda path: path.name.endswith(SUFFIX))


def _image_columns(schema: Any, name: str) -> list[str]:
    """Return the columns of what is read of images, and of nothing that may lie beside it."""
    from pyarrow import types

    kind = _value_type(schema.field(name).type)
    if not types.is_struct(kind):
        return [name]
    read = {"bytes": _is_bytes, "path": _is_text}
    return [f"{name}.{part.name}" for part in kind if read.get(part.name, _is_never)(part.type)]


def _is_never(_: Any) -> bool:
    return False


def _is_bytes_or_text(schema: Any, path: str) -> bool:
    from pyarrow import types

    name, _, inner = path.partition(".")
    kind = schema.field(name).type
    if inner:
        if not types.is_struct(kind) or kind.get_field_index(inner) < 0:
            return False
        kind = kind.field(inner).type
    return _is_bytes(kind) or _is_text(kind)


def _held_bytes(picture: Any) -> int:
    """Return how many bytes of an image file a cell holds."""
    held = picture.get("bytes") if isinstance(picture, dict) else picture
    return len(held) if isinstance(held, bytes) else 0


@contextmanager
def _reading(file: Path, dictionaries: Sequence[str] = ()) -> Iterator[Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            "Parquet needs pyarrow, which is not installed: pip install 'ddcodec[parquet]'."
        ) from error
    try:
        check_metadata_size(file)
        with pyarrow.parquet.ParquetFile(file, read_dictionary=list(dictionaries)) as parquet:
            yield parquet
    except DataError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        reason = (str(error).strip() or "damaged").splitlines()[0][:120].rstrip(".")
        raise DataError(f"cannot read '{file}' ({reason}); download or write it again.") from error


def _column(schema: Any, known: tuple[str, ...], fits: Any, what: str, file: Path) -> str:
    """Return the first of the known columns, else the only one of a fitting type."""
    able = [field.name for field in schema if fits(_value_type(field.type))]
    lower = {name.lower(): name for name in able}
    for name in known:
        if name in lower:
            return str(lower[name])
    if len(able) == 1:
        return str(able[0])
    columns = some_of(schema.names)
    raise DataError(
        f"'{file}' has the columns {columns}, none of which is known for {what}; call it "
        f"'{known[0]}'."
    )


def _value_type(kind: Any) -> Any:
    """Return the type of values that a column may keep apart from its rows, as pandas does."""
    from pyarrow import types

    return kind.value_type if types.is_dictionary(kind) else kind


def _holds_images(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _is_bytes(field.type) for field in kind)
    return _is_bytes(kind) or _is_text(kind)


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _holds_labels(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or _is_text(kind))


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _names(schema: Any, label: str) -> tuple[str, ...] | None:
    """Return the names that `datasets` keeps of a ClassLabel."""
    try:
        text = (schema.metadata or {})[b"huggingface"]
        if len(text) > MAX_DESCRIPTION_BYTES:
            return None
        described = json.loads(text)
        names = described["info"]["features"][label]["names"]
        return tuple(map(str, names))
    except (KeyError, ValueError, TypeError, RecursionError):
        return None


def _bytes(picture: Any, file: Path, where: str) -> bytes:
    """Return the file of an image, from its cell or from beside the table."""
    if isinstance(picture, dict):
        picture = picture.get("bytes") or picture.get("path")
    if isinstance(picture, bytes):
        return picture
    if not isinstance(picture, str) or len(picture) > MAX_PATH_CHARACTERS:
        raise DataError(f"{where} has no image; leave it out.")
    path = file.parent / picture
    if not path.resolve().is_relative_to(file.parent.resolve()):
        raise DataError(f"{where} names '{picture}', which is outside the folder of the table.")
    try:
        # A pipe would be waited for.
        if path.exists() and not path.is_file():
            raise DataError(f"'{path}', which {where} names, is no file; leave it out.")
        if path.stat().st_size > MAX_RESIZED_FILE_BYTES:
            raise DataError(f"'{path}' is too large to be an image of a dataset; remove it.")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read '{path}', which {where} names: {error.strerror}.") from error

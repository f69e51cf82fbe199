"""What a Parquet file may claim: looked up in its metadata and its pages before pyarrow does.

pyarrow reserves what a page is said to unpack to, whatever the metadata say of the column, and
makes objects of the metadata that take up to four hundred bytes for each of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from ddcodec.datasets.claims import check_claim
from ddcodec.datasets.tables.thrift import INT32, STRUCTURE, Fields, ThriftReader
from ddcodec.errors import DataError

BATCH_ROWS = 100
"""Rows that are read at a time."""

FREE_ROWS = 2**20
REMEDY = "write it again without compression, or the images as files"

FREE_VALUES = 2**18
VALUE_BYTES = 8
"""Parts of metadata that any file may have, and the bytes that it stores for each of the others.

A column of a row group has about fifty parts, and pyarrow takes up to 370 bytes for each.
"""

FREE_METADATA_BYTES = 2**24
METADATA_SHARE = 16
"""Bytes of metadata that any file may have, and how many of its bytes there are for each other."""

_MARK = b"PAR1"
_END_BYTES = 8
# Of a page: its type, its sizes, and what describes it; of that, values and their encoding.
_TYPE, _UNPACKED, _PACKED = (1, INT32), (2, INT32), (3, INT32)
_DATA, _DICTIONARY, _DATA_2 = (5, STRUCTURE), (7, STRUCTURE), (8, STRUCTURE)
_VALUES, _ENCODING, _ENCODING_2 = (1, INT32), (2, INT32), (4, INT32)
_DATA_TYPE, _DICTIONARY_TYPE, _DATA_2_TYPE = 0, 2, 3
_PREFIXED = 7
# Some writers leave the head of the dictionary out of the length of a column.
_PADDING_BYTES = 100


def check_metadata_size(file: Path) -> None:
    """Refuse a file whose metadata pyarrow would make too much of.

    Raises:
        ValueError: They are damaged, too long, or of too many parts.
        OSError: The file cannot be read.
    """
    stored_bytes = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(max(0, stored_bytes - _END_BYTES))
        end = stream.read(_END_BYTES)
        if end[4:] != _MARK:
            # pyarrow has a word for each of what it may be instead.
            return
        size_bytes = int.from_bytes(end[:4], "little")
        most_bytes = FREE_METADATA_BYTES + stored_bytes // METADATA_SHARE
        if size_bytes > min(most_bytes, stored_bytes - _END_BYTES):
            raise ValueError(f"it claims {size_bytes:,} bytes of metadata")
        stream.seek(stored_bytes - _END_BYTES - size_bytes)
        _reader(stream, stored_bytes).structure()


def dictionary_columns(parquet: Any, names: Sequence[str]) -> list[str]:
    """Return those of the columns that are to be read as they are stored: each value once.

    pyarrow cannot, where other pages of a column are of a delta encoding.
    """
    kept_apart: set[str] = set()
    delta: set[str] = set()
    for path, column in _columns(parquet, names):
        if column.has_dictionary_page:
            kept_apart.add(path)
        if any(encoding.startswith("DELTA") for encoding in column.encodings):
            delta.add(path)
    return sorted(kept_apart - delta)


def check_claims(parquet: Any, file: Path, names: Sequence[str], apart: Sequence[str]) -> None:
    """Refuse a file of far more rows, or bytes in the columns that are read, than it stores.

    Args:
        parquet: The open file.
        file: Where it is.
        names: Of the columns.
        apart: Those of them whose values are read once.

    Raises:
        DataError: It claims more than it may.
        ValueError: Its pages are damaged, or lie over one another.
        OSError: The file cannot be read.
    """
    stored_bytes, metadata = file.stat().st_size, parquet.metadata
    if metadata.num_rows > FREE_ROWS + stored_bytes:
        raise DataError(
            f"'{file}' claims {metadata.num_rows:,} rows in {stored_bytes:,} bytes; write it again."
        )
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    claimed_bytes = sum(group.total_byte_size for group in groups)
    check_claim(claimed_bytes, stored_bytes, f"'{file}'", REMEDY)
    if sum(column.total_compressed_size for _, column in _columns(parquet, names)) > stored_bytes:
        raise ValueError("its columns lie over one another")
    with file.open("rb") as stream:
        reader = _reader(stream, stored_bytes)
        unpacked_bytes = 0
        for path, column in _columns(parquet, names):
            for page in _pages(stream, reader, column, stored_bytes):
                unpacked_bytes += _page_bytes(page, path in apart)
                check_claim(unpacked_bytes, stored_bytes, f"'{file}'", REMEDY)


def _columns(parquet: Any, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield each column of each row group that pyarrow reads where it is asked for `names`."""
    paths = {number: parquet.schema.column(number).path for number in range(len(parquet.schema))}
    taken = {number: path for number, path in paths.items() if _is_one_of(path, names)}
    for number in range(parquet.metadata.num_row_groups):
        group = parquet.metadata.row_group(number)
        for place, path in taken.items():
            yield path, group.column(place)


def _is_one_of(path: str, names: Sequence[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _reader(stream: IO[bytes], stored_bytes: int) -> ThriftReader:
    return ThriftReader(stream, stored_bytes, FREE_VALUES + stored_bytes // VALUE_BYTES)


def _pages(
    stream: IO[bytes], reader: ThriftReader, column: Any, stored_bytes: int
) -> Iterator[Fields]:
    """Yield the head of each page of a column, as pyarrow finds them."""
    start = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < start:
        start = column.dictionary_page_offset
    if not 0 <= column.total_compressed_size <= stored_bytes - start <= stored_bytes:
        raise ValueError("a column lies outside of it")
    end = min(stored_bytes, start + column.total_compressed_size + _PADDING_BYTES)
    num_values = 0
    while num_values < column.num_values and start < end:
        stream.seek(start)
        page = reader.structure()
        if page.get(_UNPACKED, -1) < 0 or page.get(_PACKED, -1) < 0:
            raise ValueError("a page has no size")
        yield page
        start = stream.tell() + page[_PACKED]
        num_values += _num_values(page)


def _page_bytes(page: Fields, is_apart: bool) -> int:
    """Return the most that a page takes when it is read; raises ValueError for no page."""
    unpacked_bytes = int(page[_UNPACKED])
    if page.get(_DICTIONARY, {}).get(_VALUES, 0) > unpacked_bytes:
        raise ValueError("a page has more values than bytes")
    encodings = (page.get(_DATA, {}).get(_ENCODING), page.get(_DATA_2, {}).get(_ENCODING_2))
    # One value may be in every row of a batch, or they begin as the one before does.
    is_repeated = _PREFIXED in encodings or (page.get(_TYPE) == _DICTIONARY_TYPE and not is_apart)
    return unpacked_bytes * (BATCH_ROWS if is_repeated else 1)


def _num_values(page: Fields) -> int:
    described = {_DATA_TYPE: _DATA, _DATA_2_TYPE: _DATA_2}.get(page.get(_TYPE, -1))
    return 0 if described is None else max(0, page.get(described, {}).get(_VALUES, 0))

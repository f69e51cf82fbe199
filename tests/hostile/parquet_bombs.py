"""Parquet files whose metadata or page headers are the attack, written by hand."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from array_bombs import MIB, deflated
from image_trees import flat

_INT64, _BYTE_ARRAY = 2, 6
_PLAIN, _RLE, _DICTIONARY_CODED = 0, 3, 8
_UNPACKED, _GZIP = 0, 2
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2


class Wide(int):
    """A number of 64 bits; others have 32."""


def thrift(value: Any) -> bytes:
    """Return a value in thrift's compact protocol.

    Numbers and texts are what they are, lists are of one type, and a structure is a dictionary of
    its fields by their number.
    """
    if isinstance(value, int):
        return _varint(value << 1 if value >= 0 else ~(value << 1))
    if isinstance(value, bytes):
        return _varint(len(value)) + value
    if isinstance(value, list):
        return list_head(len(value), _kind(value[0])) + b"".join(map(thrift, value))
    out, last = b"", 0
    for number, inner in value.items():
        out += bytes([(number - last) << 4 | _kind(inner)]) + thrift(inner)
        last = number
    return out + b"\0"


def list_head(count: int, kind: int = 12) -> bytes:
    """Return what stands before the elements of a list, of structures or another kind."""
    return bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + _varint(count)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))


def _kind(value: Any) -> int:
    if isinstance(value, Wide):
        return 6
    return {int: 5, bytes: 8, list: 9, dict: 12}[type(value)]


def _page(data: bytes, num_values: int, size: int | None = None, is_dictionary: bool = False,
          encoding: int = _PLAIN) -> bytes:  # fmt: skip
    """Return a page of stored bytes that is said to unpack to `size`."""
    head: dict[int, Any] = {1: _DATA_PAGE, 2: len(data) if size is None else size, 3: len(data)}
    if is_dictionary:
        head |= {1: _DICTIONARY_PAGE, 7: {1: num_values, 2: _PLAIN}}
    else:
        head |= {5: {1: num_values, 2: encoding, 3: _RLE, 4: _RLE}}
    return thrift(head) + data


def _texts(*values: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


_LABELS = _page(struct.pack("<qq", 0, 1), 2)
_IMAGES = _page(_texts(flat(1), flat(2)), 2)
_SCHEMA = [
    {4: b"root", 5: 2},
    {1: _BYTE_ARRAY, 3: 0, 4: b"image"},
    {1: _INT64, 3: 0, 4: b"label"},
]


def _column(name: bytes, kind: int, start: int, length: int, codec: int = 0, num_values: int = 2,
            dictionary: int | None = None) -> dict[int, Any]:  # fmt: skip
    facts = {1: kind, 2: [_PLAIN], 3: [name], 4: codec, 5: Wide(num_values), 6: Wide(length),
             7: Wide(length), 9: Wide(start)}  # fmt: skip
    if dictionary is not None:
        facts |= {9: Wide(dictionary), 11: Wide(start)}
    return {2: Wide(start), 3: facts}


def _group(images: bytes, **options: Any) -> dict[int, Any]:
    """Return the row group of images behind the mark of the file, with labels behind them."""
    columns = [
        _column(b"image", _BYTE_ARRAY, 4, len(images), **options),
        _column(b"label", _INT64, 4 + len(images), len(_LABELS)),
    ]
    return {1: columns, 2: Wide(len(images) + len(_LABELS)), 3: Wide(2)}


def _footer(groups: list[dict[int, Any]], schema: list[Any] = _SCHEMA) -> bytes:
    return thrift({1: 1, 2: schema, 3: Wide(2 * len(groups)), 4: groups})


def _written(path: Path, body: bytes, footer: bytes) -> Path:
    path.write_bytes(b"PAR1" + body + footer + struct.pack("<I", len(footer)) + b"PAR1")
    return path


def _of_images(path: Path, images: bytes, **options: Any) -> Path:
    """Write one row group of two images and labels."""
    return _written(path, images + _LABELS, _footer([_group(images, **options)]))


def sound_parquet(folder: Path) -> Path:
    """Two images as the others here have them."""
    return _of_images(folder / "sound.parquet", _IMAGES)


def page_parquet(folder: Path) -> Path:
    """A page of 1 GB of zeros behind an image, of which the metadata knows the stored bytes."""
    head = _texts(flat(1)) + struct.pack("<I", 1 << 30)
    stream = b"\x1f\x8b\x08" + bytes(7) + deflated(1 << 30, head) + bytes(8)
    page = _page(stream, 2, size=len(head) + (1 << 30))
    return _of_images(folder / "page.parquet", page, codec=_GZIP)


def size_parquet(folder: Path) -> Path:
    """A page that is said to unpack to 2 GB, and does to nothing."""
    page = _page(b"\x1f\x8b\x08" + bytes(7) + deflated(10) + bytes(8), 2, size=2**31 - 1)
    return _of_images(folder / "size.parquet", page, codec=_GZIP)


def values_parquet(folder: Path) -> Path:
    """A dictionary of 60 million values in some bytes."""
    dictionary = _page(_texts(flat(1)), 60_000_000, is_dictionary=True)
    indices = _page(b"\x01\x04\x00", 2, encoding=_DICTIONARY_CODED)
    place = 4 + len(dictionary)
    return _of_images(folder / "values.parquet", dictionary + indices, dictionary=place)


def prefix_parquet(folder: Path) -> Path:
    """A label of 4 MB, and others that begin as it does and have no more letters."""
    import pyarrow
    import pyarrow.parquet

    labels = pyarrow.array(["x" * (4 * MIB)] * 100)
    table = pyarrow.table({"image": pyarrow.array([flat(n) for n in range(100)]), "label": labels})
    path = folder / "prefix.parquet"
    coded = {"label": "DELTA_BYTE_ARRAY"}
    pyarrow.parquet.write_table(table, path, use_dictionary=False, column_encoding=coded)
    return path


def large_parquet(folder: Path) -> Path:
    """An image of 3 MB a hundred times, stored once, of the type whose columns may be longer."""
    import pyarrow
    import pyarrow.parquet

    images = pyarrow.array([flat(1) + bytes(3 * MIB)] * 100, pyarrow.large_binary())
    table = pyarrow.table({"image": images, "label": pyarrow.array([n % 2 for n in range(100)])})
    path = folder / "large.parquet"
    pyarrow.parquet.write_table(table, path, dictionary_pagesize_limit=2**30)
    return path


def chunk_parquet(folder: Path) -> Path:
    """A column of 2**40 bytes in a file of some hundred."""
    groups = [_group(_IMAGES)]
    groups[0][1][0][3][7] = Wide(1 << 40)
    return _written(folder / "chunk.parquet", _IMAGES + _LABELS, _footer(groups))


def overlap_parquet(folder: Path) -> Path:
    """A hundred row groups that are one."""
    images = _page(_texts(flat(1), flat(2) + bytes(MIB)), 2)
    footer = _footer([_group(images)] * 100)
    return _written(folder / "overlap.parquet", images + _LABELS, footer)


def groups_parquet(folder: Path) -> Path:
    """Half a million row groups without columns."""
    none = thrift({1: [0], 2: Wide(0), 3: Wide(0)}).replace(b"\x15\0", b"\x0c")
    footer = thrift({1: 1, 2: _SCHEMA, 3: Wide(0)})[:-1]
    footer += b"\x19" + list_head(500_000) + none * 500_000 + b"\0"
    return _written(folder / "groups.parquet", _IMAGES + _LABELS, footer)


def columns_parquet(folder: Path) -> Path:
    """Half a million columns in one row group."""
    chunk = thrift({2: Wide(4)})
    footer = thrift({1: 1, 2: _SCHEMA, 3: Wide(0)})[:-1] + b"\x19" + list_head(1)
    footer += b"\x19" + list_head(500_000) + chunk * 500_000 + b"\x16\0\x16\0\0" + b"\0"
    return _written(folder / "chunks.parquet", _IMAGES + _LABELS, footer)


def schema_parquet(folder: Path) -> Path:
    """Half a million columns without a name in a schema."""
    footer = b"\x15\x02\x19" + list_head(500_001) + thrift({4: b"root", 5: 500_000})
    footer += thrift({1: _INT64, 3: 0, 4: b""}) * 500_000 + b"\x16\0\x19" + list_head(0) + b"\0"
    return _written(folder / "schema.parquet", _IMAGES + _LABELS, footer)


def notes_parquet(folder: Path) -> Path:
    """A million empty notes behind sound metadata."""
    footer = _footer([_group(_IMAGES)])[:-1]
    footer += b"\x19" + list_head(1_000_000) + thrift({1: b""}) * 1_000_000 + b"\0"
    return _written(folder / "notes.parquet", _IMAGES + _LABELS, footer)


def hole_parquet(folder: Path) -> Path:
    """Metadata of 3 GB, all of it a hole of the disk."""
    size = 3 << 30
    path = folder / "hole.parquet"
    with path.open("wb") as file:
        file.write(b"PAR1")
        file.seek(size)
        file.write(struct.pack("<I", size - 100) + b"PAR1")
    return path

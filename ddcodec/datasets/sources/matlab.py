"""Read numeric arrays from MATLAB 5 files, packed or not, trusting none of their numbers."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.claims import check_claim
from ddcodec.errors import DataError

MAX_BYTES = 2**30
"""No array of a dataset of this kind is longer when unpacked."""

_REMEDY = "save it again without compression"
_HEADER_BYTES = 128
_MAX_DIMENSIONS = 8

# Types of data elements (MAT-File Format, table 1-1) and classes of arrays (table 1-3).
_MATRIX, _COMPRESSED = 14, 15
_INT8, _INT32, _UINT32 = 1, 5, 6
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_COMPLEX_FLAG = 0x0800


class _DamagedError(Exception):
    """Anything that does not fit the format."""


@dataclass(frozen=True)
class _Element:
    """A typed run of bytes; `order` is `<` or `>` as in NumPy."""

    kind: int
    data: memoryview
    order: str

    def numbers(self, *kinds: int) -> NDArray[np.number]:
        if self.kind not in kinds:
            raise _DamagedError
        dtype = np.dtype(self.order + _NUMBERS[self.kind])
        if len(self.data) % dtype.itemsize:
            raise _DamagedError
        return np.frombuffer(self.data, dtype=dtype)


def read_matlab(data: bytes, path: str, names: Collection[str]) -> dict[str, NDArray[np.number]]:
    """Read the real numeric arrays called `names`, each in the shape and class MATLAB gave it.

    Arrays may share memory with `data` and are then read-only. Other variables are skipped
    without being read. No more is unpacked than an element claims, which is bounded. Raises
    DataError naming `path` for a damaged file and where a name is missing.
    """
    try:
        found = {}
        unpacked_bytes = 0
        for element in _elements(memoryview(data)[_HEADER_BYTES:], _byte_order(data)):
            unpacked = element
            if element.kind == _COMPRESSED:
                claim = _PackedElement(element)
                unpacked_bytes += claim.length
                check_claim(unpacked_bytes, len(data), f"'{path}'", _REMEDY)
                unpacked = claim.unpack()
            if unpacked.kind == _MATRIX:
                found.update(_read_matrix(unpacked, names, len(data), path))
    except (_DamagedError, zlib.error, MemoryError) as error:
        raise DataError(
            f"'{path}' is not a valid MATLAB 5 file (broken or truncated); replace it."
        ) from error
    for name in names:
        if name not in found:
            raise DataError(f"'{path}' holds no numeric array '{name}'; replace it.")
    return found


def _byte_order(data: bytes) -> str:
    """Read the version and byte order at the end of the header of 128 bytes."""
    orders = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
    order = orders.get(data[_HEADER_BYTES - 4 : _HEADER_BYTES])
    if order is None:
        raise _DamagedError
    return order


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    """Yield the elements that lie one after the other in `data`, padded to eight bytes."""
    byte_order = "little" if order == "<" else "big"
    start = 0
    while start < len(data):
        tag = data[start : start + 8]
        if len(tag) < 8:
            raise _DamagedError
        kind, length = (int.from_bytes(tag[i : i + 4], byte_order) for i in (0, 4))  # type: ignore[arg-type]
        if kind >> 16:
            # Up to four bytes, with their number, in the tag itself.
            kind, length, start = kind & 0xFFFF, kind >> 16, start + 4
            end = start + 4
            if length > 4:
                raise _DamagedError
        else:
            start += 8
            # Packed elements are not padded.
            end = start + (length if kind == _COMPRESSED else length + -length % 8)
        if start + length > len(data):
            raise _DamagedError
        yield _Element(kind, data[start : start + length], order)
        start = end


class _PackedElement:
    """A compressed element, which is one element of `length` bytes."""

    def __init__(self, element: _Element) -> None:
        self._unpacker = zlib.decompressobj()
        self._order = element.order
        tag = self._unpacker.decompress(element.data, 8)
        byte_order = "little" if element.order == "<" else "big"
        if len(tag) < 8:
            raise _DamagedError
        self._kind, self.length = (int.from_bytes(tag[i : i + 4], byte_order) for i in (0, 4))  # type: ignore[arg-type]
        if self.length > MAX_BYTES:
            raise _DamagedError

    def unpack(self) -> _Element:
        # A byte more than is promised would be too many.
        content = self._unpacker.decompress(self._unpacker.unconsumed_tail, self.length + 1)
        if len(content) != self.length or not self._unpacker.eof:
            raise _DamagedError
        return _Element(self._kind, memoryview(content), self._order)


def _read_matrix(
    matrix: _Element, names: Collection[str], stored_bytes: int, path: str
) -> dict[str, NDArray[np.number]]:
    """Read one array if it is one of `names`: its flags, dimensions, name and numbers."""
    parts = _elements(matrix.data, matrix.order)
    flags = _next(parts).numbers(_UINT32)
    dimensions = [int(side) for side in _next(parts).numbers(_INT32)]
    name = bytes(_next(parts).numbers(_INT8)).decode("latin-1")
    if name not in names:
        return {}
    if len(flags) != 2 or int(flags[0]) & _COMPLEX_FLAG:
        raise _DamagedError
    dtype = _CLASSES.get(int(flags[0]) & 0xFF)
    if dtype is None or not 2 <= len(dimensions) <= _MAX_DIMENSIONS or min(dimensions) < 0:
        raise _DamagedError
    # Numbers may be stored in a smaller type than that of the array.
    values = _next(parts).numbers(*_NUMBERS)
    count = 1
    for side in dimensions:
        count *= side
    num_bytes = count * np.dtype(dtype).itemsize
    if count != len(values) or num_bytes > MAX_BYTES:
        raise _DamagedError
    check_claim(num_bytes, stored_bytes, f"'{path}'", _REMEDY)
    return {name: values.astype(dtype, copy=False).reshape(dimensions, order="F")}


def _next(parts: Iterator[_Element]) -> _Element:
    try:
        return next(parts)
    except StopIteration as error:
        raise _DamagedError from error

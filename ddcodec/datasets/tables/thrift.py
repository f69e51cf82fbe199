"""Go through thrift's compact protocol, in which Parquet describes itself, making nothing of it.

Readers that are made from its definition reserve lists of the length that a file claims, and an
object of some hundred bytes for each three bytes of an element.
"""

from __future__ import annotations

import io
from typing import IO, Any

Fields = dict[tuple[int, int], Any]
"""Numbers and structures by their field and type; of texts and lists nothing is kept.

By type, since a field of another type than expected is passed over, and may be there twice.
"""

INT32, STRUCTURE = 5, 12

_STOP, _TRUE, _FALSE, _BYTE, _INT16, _INT64, _DOUBLE, _TEXT, _LIST, _SET, _MAP = (
    0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11,
)  # fmt: skip
_LONG = 15
_MAX_DEPTH = 32
_MAX_VARINT_BYTES = 10


class ThriftReader:
    """Reads structures of a file, forwards.

    Args:
        file: at a structure.
        end: of the file.
        most_values: that may be read, fields and elements of lists together.
    """

    def __init__(self, file: IO[bytes], end: int, most_values: int) -> None:
        self._file = file
        self._end = end
        self._left = most_values

    def structure(self, depth: int = 0) -> Fields:
        """Read a structure.

        Raises:
            ValueError: It is none, ends early, or has more values than are left.
        """
        if depth > _MAX_DEPTH:
            raise ValueError("its metadata is absurdly deep")
        fields: Fields = {}
        number = 0
        while (head := self._byte()) & 15 != _STOP:
            self._take(1)
            number = _signed(number + (head >> 4) if head >> 4 else self._integer(), 16)
            kind = head & 15
            value = self._value(kind, depth) if kind not in (_TRUE, _FALSE) else None
            if value is not None:
                fields[number, kind] = value
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        """Read a value; returns it where it is a number or a structure."""
        if kind in (_INT16, INT32, _INT64):
            return _signed(self._integer(), 32 if kind == INT32 else 64)
        if kind == STRUCTURE:
            return self.structure(depth + 1)
        if kind == _TEXT:
            self._skip(self._varint())
        elif kind in (_LIST, _SET):
            self._list(depth)
        elif kind == _MAP:
            self._map(depth)
        elif kind in (_TRUE, _FALSE, _BYTE, _DOUBLE):
            self._skip(8 if kind == _DOUBLE else 1)
        else:
            raise ValueError("its metadata is damaged")
        return None

    def _list(self, depth: int) -> None:
        head = self._byte()
        count = self._varint() if head >> 4 == _LONG else head >> 4
        self._take(count)
        for _ in range(count):
            self._value(head & 15, depth + 1)

    def _map(self, depth: int) -> None:
        count = self._varint()
        self._take(2 * count)
        kinds = self._byte() if count else 0
        for _ in range(count):
            self._value(kinds >> 4, depth + 1)
            self._value(kinds & 15, depth + 1)

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise ValueError("its metadata has more parts than a file as small has")

    def _integer(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)

    def _varint(self) -> int:
        number = 0
        for place in range(_MAX_VARINT_BYTES):
            byte = self._byte()
            number |= (byte & 127) << 7 * place
            if byte < 128:
                return number
        raise ValueError("its metadata is damaged")

    def _byte(self) -> int:
        byte = self._file.read(1)
        if not byte:
            raise ValueError("its metadata ends early")
        return byte[0]

    def _skip(self, count: int) -> None:
        if self._file.seek(count, io.SEEK_CUR) > self._end:
            raise ValueError("its metadata ends early")


def _signed(number: int, bits: int) -> int:
    """Return what is left of a number in so many bits."""
    half = 1 << (bits - 1)
    return ((number + half) & ((1 << bits) - 1)) - half

"""Read idx files, the format of MNIST, as they are or packed with gzip."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.claims import check_claim
from ddcodec.datasets.trees.resize import MAX_SIDE
from ddcodec.errors import DataError

MAX_ITEMS = 2**24
MAX_BYTES = 2**30

_UNSIGNED_BYTES = 0x08
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def read_idx(data: bytes, path: str, dimensions: int) -> NDArray[np.uint8]:
    """Read an idx file of unsigned bytes with 1 dimension (labels) or 3 (images, N×H×W).

    An idx file is two zero bytes, a byte for the type, one for the number of dimensions, the
    dimensions as big-endian 32-bit numbers and the values, the last dimension fastest. Unpacking
    stops at what the header promises, which is bounded. Raises DataError naming `path`.
    """
    header_bytes = 4 + 4 * dimensions
    try:
        unpacked = _Unpacked(data)
        head = unpacked.take(header_bytes)
        if len(head) < header_bytes or head[:3] != bytes((0, 0, _UNSIGNED_BYTES)):
            raise _damaged(path)
        if head[3] != dimensions:
            raise _damaged(path)
        shape = tuple(
            int.from_bytes(head[start : start + 4], "big") for start in range(4, header_bytes, 4)
        )
        num_bytes = _checked_bytes(shape, path)
        check_claim(num_bytes, len(data), f"'{path}'", "unpack it")
        values = unpacked.take(num_bytes)
        if len(values) != num_bytes or not unpacked.is_at_end():
            raise _damaged(path)
    except (zlib.error, MemoryError) as error:
        raise _damaged(path) from error
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _checked_bytes(shape: tuple[int, ...], path: str) -> int:
    """Return how many values a shape has, in Python integers, after bounding each of its sides."""
    num_bytes = 1
    for side in shape:
        num_bytes *= side
    if not 1 <= shape[0] <= MAX_ITEMS or not 1 <= num_bytes <= MAX_BYTES:
        raise DataError(f"'{path}' claims {shape[0]:,} items; no dataset of this kind has these.")
    if any(side > MAX_SIDE for side in shape[1:]):
        raise DataError(
            f"'{path}' claims images of {shape[1]}x{shape[2]} pixels; they may be at most "
            f"{MAX_SIDE}x{MAX_SIDE}."
        )
    return num_bytes


class _Unpacked:
    """Hand out the bytes of a file piece by piece, unpacking no more than is asked for."""

    def __init__(self, data: bytes) -> None:
        is_packed = data[:2] == _GZIP_MAGIC
        self._unpacker = zlib.decompressobj(_GZIP_WINDOW) if is_packed else None
        self._rest = data

    def take(self, num_bytes: int) -> bytes:
        if self._unpacker is None:
            taken, self._rest = self._rest[:num_bytes], self._rest[num_bytes:]
            return taken
        taken = self._unpacker.decompress(self._rest, num_bytes)
        self._rest = self._unpacker.unconsumed_tail
        return taken

    def is_at_end(self) -> bool:
        """Tell whether nothing is left; a packed file's checksum has been checked then."""
        if self._unpacker is None:
            return not self._rest
        return not self.take(1) and self._unpacker.eof and not self._unpacker.unused_data


def _damaged(path: str) -> DataError:
    return DataError(
        f"'{path}' is not a valid idx file of bytes (broken or truncated); replace it."
    )

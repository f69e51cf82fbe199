"""Read one array of a `.npz` or `.npy`; nothing in it is believed, and nothing is ever run."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 2**34
"""No array that is read into memory as a whole may claim more."""

MAX_HEADER_BYTES = 10_000
"""As NumPy has it, which looks only once it has read the header."""

_PIECE_BYTES = 2**22


@dataclass(frozen=True)
class StoredArray:
    """An array that is still in its file.

    Attributes:
        shape: what its header claims, which is what the file holds.
        dtype: of numbers or texts, never of objects.
        is_fortran: whether the first side is the fastest.
        header_bytes: what stands before the values.
        open: opens its file at the start.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool
    header_bytes: int
    open: Callable[[], IO[bytes]]

    @property
    def num_bytes(self) -> int:
        """Return the bytes of its values."""
        return prod(self.shape) * self.dtype.itemsize

    def read(self) -> NDArray[Any]:
        """Read all of it; raises what the standard library and NumPy do on damaged files."""
        with self.open() as file:
            file.read(self.header_bytes)
            values = _filled(file, prod(self.shape), self.dtype)
            _expect_end(file)
        return values.reshape(self.shape, order="F" if self.is_fortran else "C")

    def parts(self, part_bytes: int) -> Iterator[NDArray[Any]]:
        """Yield runs along the first side of about `part_bytes` each, at least one long.

        Of an array in Fortran order, all of which is read first, views; raises as `read` does.
        """
        if not self.shape:
            raise ValueError("a single number has no parts")
        one = prod(self.shape[1:])
        step = max(1, part_bytes // max(1, one * self.dtype.itemsize))
        starts = range(0, self.shape[0], step)
        if self.is_fortran:
            whole = self.read()
            yield from (whole[start : start + step] for start in starts)
            return
        with self.open() as file:
            file.read(self.header_bytes)
            for start in starts:
                count = min(step, self.shape[0] - start)
                yield _filled(file, count * one, self.dtype).reshape(count, *self.shape[1:])
            _expect_end(file)


def find_array(archive: zipfile.ZipFile, name: str) -> StoredArray:
    """Return the array called `name` of an `.npz`, of which no more than its header is read.

    Raises:
        Exception: What the standard library and NumPy raise on damaged or hostile files.
    """
    info = archive.getinfo(f"{name}.npy")
    return described(lambda: archive.open(info), info.file_size)


def described(opened: Callable[[], IO[bytes]], file_bytes: int) -> StoredArray:
    """Return the array in a `.npy` of `file_bytes`; see `find_array`."""
    with opened() as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError("another version")
        length_bytes = file.read(2 if version == (1, 0) else 4)
        length = int.from_bytes(length_bytes, "little")
        if length > MAX_HEADER_BYTES:
            raise ValueError("its header is too long")
        header = io.BytesIO(length_bytes + file.read(length))
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, is_fortran, dtype = read_header(header)
    header_bytes = np.lib.format.MAGIC_LEN + len(length_bytes) + length
    found = StoredArray(shape, dtype, is_fortran, header_bytes, opened)
    if dtype.hasobject or not dtype.itemsize or min(shape, default=0) < 0:
        raise ValueError("it is of no numbers")
    if found.num_bytes != file_bytes - header_bytes:
        raise ValueError("it holds another number of bytes than it claims")
    return found


def _filled(file: IO[bytes], count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read `count` values; the memory of those that are not there is never touched."""
    values = np.empty(count, dtype=dtype)
    room = values.view(np.uint8) if count else np.empty(0, dtype=np.uint8)
    done = 0
    while done < len(room):
        piece = file.read(min(_PIECE_BYTES, len(room) - done))
        if not piece:
            raise EOFError("it ends early")
        room[done : done + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        done += len(piece)
    return values


def _expect_end(file: IO[bytes]) -> None:
    # The checksum of a member comes last and is checked only where it is read.
    if file.read(1):
        raise ValueError("it holds more than it claims")

"""Open a zip, `.npz` or `.pt` once its directory is known to be one that such a file may have.

`zipfile` reads the whole directory and makes an object for each entry, 400 bytes and its name at up
to four bytes a letter, before anybody can ask how many there are.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_ENTRY_BYTES = 2**14
"""Of a member's name, extra fields and comment: four times the longest path that Linux knows.

Python's time for extra fields grows with the square of their length.
"""

# What stands before each member beside its name, and what it has in the directory.
_LOCAL_BYTES = 30
_ENTRY = struct.Struct("<4s16xI4xHHH12x")
_SIGNATURE = b"PK\x01\x02"
_IN_EXTRA = 2**32 - 1
# Reads of no more are of the records behind the directory, or of one entry.
_RECORD_BYTES = 64


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip for reading.

    There is no fixed number of members, since datasets of a million images are sound. Members that
    lie beside one another, each with its header and its entry, are as many as the file has room
    for: empty ones take five times its bytes of memory, images less than twice.

    Raises:
        BadZipFile: It is no zip, or its directory says more than the file has room for.
        OSError: It cannot be read.
    """
    with _CheckedFile(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        file.is_open = True
        yield archive


class _CheckedFile(io.BufferedReader):
    """A zip that looks through its directory where `zipfile` asks for all of it.

    What the end of the file says of the directory is thus read once, by `zipfile`: two readers of
    these records could be made to disagree.

    Attributes:
        is_open: whether the directory lies behind.
    """

    is_open = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does; raises BadZipFile for a directory that may not be."""
        if not self.is_open and size is not None and size > _RECORD_BYTES:
            start = self.tell()
            room_bytes = self.seek(0, io.SEEK_END) - size
            self.seek(start)
            self._check_directory(size, room_bytes)
            self.seek(start)
        return super().read(size)

    def _check_directory(self, size_bytes: int, room_bytes: int) -> None:
        """Go through the entries in `size_bytes` from here; `room_bytes` are for their members."""
        while size_bytes > 0:
            head = super().read(_ENTRY.size)
            if len(head) < _ENTRY.size:
                raise zipfile.BadZipFile("its directory ends early")
            signature, packed_bytes, *lengths = _ENTRY.unpack(head)
            if signature != _SIGNATURE:
                raise zipfile.BadZipFile("its directory is none")
            if sum(lengths) > MAX_ENTRY_BYTES:
                raise zipfile.BadZipFile("a member's name, fields and comment are absurdly long")
            size_bytes -= _ENTRY.size + len(super().read(sum(lengths)))
            # A member of 4 GB or more says so in its fields.
            room_bytes -= _LOCAL_BYTES + lengths[0] + packed_bytes * (packed_bytes != _IN_EXTRA)
            if room_bytes < 0:
                raise zipfile.BadZipFile("its members overlap")

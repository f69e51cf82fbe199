"""Hand a tar to `tarfile`, unpacked on the way, in bounded portions and forwards only.

`tarfile` reads a header of whatever length one claims, and goes back where a damaged one says so.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from math import inf
from pathlib import Path
from typing import IO, Any

from ddcodec.datasets.claims import check_claim, most_unpacked_bytes
from ddcodec.errors import DataError

MAX_HEADER_BYTES = 2**18
"""Of one member with its extended headers: four times the longest attribute of a file."""

MAX_SHARED_FIELDS = 256
"""That headers for all members may set; they are copied for each member."""

FREE_MEMBERS = 10_000
MEMBER_BYTES = 16
"""Members that any packed tar may have, and the least that each of the others takes in its file."""

_PIECE_BYTES = 2**20
_USTAR = slice(257, 262)
# No field holds such a number, and Python before 3.11.10 looks through one again for each digit.
_LONG_NUMBER = re.compile(rb"\d{256}")


class TarStream(io.RawIOBase):
    """A tar as `tarfile` sees it.

    Attributes:
        allowed_bytes: how many may be read until it is set again; None for any number.
        is_packed: whether the file has to be unpacked to get at the tar.
        last: what was read last while there was a limit: a block of zeros where a tar ends.

    Raises:
        DataError: More is read than is allowed, or unpacked than a file of this size may claim.
        ReadError: Something behind what was read is asked for.
    """

    def __init__(self, path: Path, file: IO[bytes], is_packed: bool) -> None:
        super().__init__()
        self._path, self._file, self.is_packed = path, file, is_packed
        self._stored_bytes = path.stat().st_size
        self._most_bytes = most_unpacked_bytes(self._stored_bytes)
        self._position = 0
        self.allowed_bytes: int | None = MAX_HEADER_BYTES
        self.last = b""

    @property
    def most_members(self) -> float:
        """Return how many members a file of this size may have."""
        return FREE_MEMBERS + self._stored_bytes / MEMBER_BYTES if self.is_packed else inf

    def tell(self) -> int:
        """Return how much of the tar lies before."""
        return self._position

    def seek(self, position: int, whence: int = 0) -> int:
        """Go forwards; `whence` stands for the beginning."""
        if position < self._position or whence:
            raise tarfile.ReadError("it leads back")
        if self.is_packed:
            self._check(position)
            while self._position < position and self._take(position - self._position):
                pass
        else:
            self._file.seek(position)
            self._position = position
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Read as many bytes as there are up to `size`, which is none too many."""
        wanted = _PIECE_BYTES if size is None or size < 0 else size
        if self.allowed_bytes is not None:
            self.allowed_bytes -= wanted
            if self.allowed_bytes < 0:
                raise self._long_header()
        self._check(self._position + wanted)
        data = self._take(wanted)
        while len(data) < wanted and (piece := self._take(wanted - len(data))):
            data += piece
        if self.allowed_bytes is not None:
            self.last = data
            if wanted > tarfile.BLOCKSIZE and _LONG_NUMBER.search(data):
                raise self._long_header()
        return data

    def _take(self, most: int) -> bytes:
        piece = self._file.read(most if most < _PIECE_BYTES else _PIECE_BYTES)
        self._position += len(piece)
        return piece

    def _check(self, position: int) -> None:
        if self.is_packed and position > self._most_bytes:
            remedy = "unpack it and pass the folder"
            check_claim(position, self._stored_bytes, f"'{self._path}'", remedy)

    def _long_header(self) -> DataError:
        return DataError(
            f"'{self._path}' has a member whose headers are longer than {MAX_HEADER_BYTES:,} bytes "
            "or say nothing sensible; pack it again without extended attributes."
        )


@contextmanager
def opened_tar(path: Path) -> Iterator[tuple[tarfile.TarFile, TarStream]]:
    """Open a tar, packed or not, and its stream; raises what the readers of the parts do."""
    with path.open("rb") as file:
        head = file.read(512)
    opener = None if head[_USTAR] == b"ustar" else _opener(head)
    with path.open("rb") if opener is None else opener(path) as unpacked:
        stream = TarStream(path, unpacked, opener is not None)
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            yield archive, stream


def tar_headers(
    archive: tarfile.TarFile, stream: TarStream, path: Path
) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a tar, none of which is kept; raises as `TarStream` does."""
    count, most_members = 0, stream.most_members
    while (info := archive.next()) is not None:
        stream.allowed_bytes = None
        count += 1
        if count > most_members:
            raise DataError(
                f"'{path}' has over {count - 1:,} members, more than files as small as it hold; "
                "if you trust it, unpack it and pass the folder."
            )
        yield info
        archive.members = []  # type: ignore[attr-defined]
        stream.allowed_bytes = MAX_HEADER_BYTES
        if len(archive.pax_headers) > MAX_SHARED_FIELDS:
            raise DataError(
                f"'{path}' sets {len(archive.pax_headers):,} fields for all of its members; pack "
                "it again without them."
            )
    # `tarfile` takes a damaged or cut header for the end of the archive and says nothing.
    if stream.last != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends in the middle")
    # The checksum of a compressed archive comes last and is checked only where it is read.
    stream.allowed_bytes = None
    while stream.read(_PIECE_BYTES):
        pass


def _opener(head: bytes) -> Callable[[Path], Any] | None:
    for magic, opener in _OPENERS.items():
        if head.startswith(magic):
            return opener
    return None


def _zstandard_file(path: Path) -> Any:
    return _zstandard().ZstdFile(path)


def zstandard_errors() -> tuple[type[Exception], ...]:
    """Return what a damaged Zstandard file raises, if it can be read at all."""
    try:
        return (_zstandard().ZstdError,)
    except DataError:
        return ()


def _zstandard() -> Any:
    """Return the module that reads Zstandard: Python's own since 3.14."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise DataError(
        "Zstandard needs backports.zstd, which is not installed: pip install 'ddcodec[zstd]'."
    )


_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
    b"\x5d\x00\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": _zstandard_file,
}

"""One file of a dataset source, wherever it is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum


class Storage(IntEnum):
    """How the bytes of a file are stored where a `Place` says they are."""

    FILE = 0
    PART = 1
    ZIP_STORED = 2
    ZIP_DEFLATED = 3
    TABLE_ROW = 4


@dataclass(frozen=True)
class Place:
    """Say where the bytes of a file are, so that it can be read alone and at any time.

    Attributes:
        storage: as what.
        holder: path of the archive or table that holds them; empty for a file by itself.
        offset: of the bytes, of the member's header in a zip, or the row in a table.
        size: bytes that are stored; 0 for a file by itself and a row.
    """

    storage: Storage
    holder: str = ""
    offset: int = 0
    size: int = 0


BY_ITSELF = Place(Storage.FILE)


@dataclass(frozen=True)
class Member:
    """Name one file or folder of a source.

    Attributes:
        path: relative to the source, with forward slashes and no `..`.
        is_folder: whether it is a folder; a folder has no bytes.
        size: length in bytes.
        read: returns the bytes; valid only until the next member is asked for.
        modified_ns: time of last change in nanoseconds, 0 inside archives.
        place: where it can be read later, or None where all before it would have to be unpacked.
    """

    path: str
    is_folder: bool
    size: int
    read: Callable[[], bytes]
    modified_ns: int = 0
    place: Place | None = None

    @property
    def is_hidden(self) -> bool:
        """Tell whether the operating system, not the user, put it there."""
        parts = self.path.split("/")
        return "__MACOSX" in parts or any(part.startswith(".") for part in parts)

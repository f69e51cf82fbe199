"""One file of a dataset source, wherever it is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """Name one file or folder of a source.

    Attributes:
        path: relative to the source, with forward slashes and no `..`.
        is_folder: whether it is a folder; a folder has no bytes.
        size: length in bytes.
        read: returns the bytes; valid only until the next member is asked for.
        modified_ns: time of last change in nanoseconds, 0 inside archives.
    """

    path: str
    is_folder: bool
    size: int
    read: Callable[[], bytes]
    modified_ns: int = 0

    @property
    def is_hidden(self) -> bool:
        """Tell whether the operating system, not the user, put it there."""
        parts = self.path.split("/")
        return "__MACOSX" in parts or any(part.startswith(".") for part in parts)

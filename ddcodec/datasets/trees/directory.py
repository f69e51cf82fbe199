"""Walk the files of a folder on disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ddcodec.datasets.trees.member import BY_ITSELF, Member
from ddcodec.errors import DataError

Keeps = Callable[[str], bool]
"""Tells by its path whether a file or folder is wanted; below unwanted folders nothing is seen."""

MAX_DEPTH = 12


def keep_all(path: str) -> bool:
    """Want everything."""
    return True


def directory_members(root: Path, keeps: Keeps = keep_all) -> Iterator[Member]:
    """Yield every wanted file and folder below `root`, sorted, links followed, none hidden.

    Raises DataError naming the folder or file that cannot be read.
    """
    yield from _below(root, "", (), keeps)


def _below(
    root: Path, prefix: str, above: tuple[tuple[int, int], ...], keeps: Keeps
) -> Iterator[Member]:
    folder = root / prefix
    above = (*above, _identity(folder))
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = f"{prefix}/{entry.name}" if prefix else entry.name
        if not keeps(path):
            continue
        member = _member(entry, path)
        yield member
        if member.is_folder:
            # Images below a link that leads back up would be there several times.
            if _identity(folder / entry.name) in above:
                raise DataError(f"'{entry.path}' is a link that leads back up; remove it.")
            if len(above) >= MAX_DEPTH:
                raise DataError(
                    f"'{entry.path}' is more than {MAX_DEPTH} folders deep; move it up."
                )
            yield from _below(root, path, above, keeps)


def _identity(folder: Path) -> tuple[int, int]:
    """Return what two paths of the same folder have in common."""
    try:
        status = folder.stat()
    except OSError as error:
        raise _unreadable(folder, error) from error
    return status.st_dev, status.st_ino


def _member(entry: os.DirEntry[str], path: str) -> Member:
    try:
        status = entry.stat()
    except OSError as error:
        raise _unreadable(Path(entry.path), error) from error
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        # Reading a pipe or a device would wait forever.
        raise DataError(f"'{entry.path}' is neither a file nor a folder; remove it.")
    read = partial(_read, entry.path)
    return Member(path, is_folder, status.st_size, read, status.st_mtime_ns, BY_ITSELF)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(Path(path), error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    reason = (error.strerror or str(error)).lower()
    return DataError(f"cannot read '{path}': {reason}; check that it is there and readable.")

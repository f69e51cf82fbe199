"""The one way in which files and folders are put in place: whole or not at all, and lasting."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddcodec.errors import OutputError
from ddcodec.kept.lock import claim, is_abandoned

PARTIAL = ".partial"
"""How the names of files and folders end that are not complete."""

LONGEST_NAME = 255
"""Bytes of a file's name where the system does not say how many it takes."""

_RANDOM = 8  # letters that `tempfile` adds
_FEW = 16  # files that are written through one by one
_NEW, _OLD = "new", "old"


def write_atomically(data: bytes, path: Path) -> None:
    """Write a file completely or not at all.

    Raises:
        OutputError: if the folder cannot be written.
    """
    with atomic_file(path) as partial:
        partial.write_bytes(data)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Hand out a file that takes the place of `path` once it is complete and on the disk.

    What killed processes left of earlier attempts is removed.

    Raises:
        OutputError: if the folder cannot be written, or there was an OSError in between.
    """
    remove_partial(path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=PARTIAL)
    except OSError as error:
        raise OutputError(f"Cannot write to '{path.parent}': {error.strerror}.") from error
    partial = Path(name)
    try:
        claim(handle)
        yield partial
        # A private temporary file becomes an ordinary one.
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)
        # Names reach the disk before what they name, where nobody says otherwise.
        write_through(partial)
        partial.replace(path)
        write_through(path.parent)
    except BaseException as error:
        # An interrupt, too, must not leave half a file behind.
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"Cannot write '{path}': {error.strerror or error}.") from error
        raise
    finally:
        os.close(handle)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Hand out a new folder that takes the place of `path` once it is complete and on the disk.

    What killed processes left of earlier attempts is removed, and a folder that one of them had
    already put aside is put back first.

    Raises:
        OSError: if the folder around it cannot be written.
    """
    target = path.resolve()
    remove_partial(target)
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=_prefix(target), suffix=PARTIAL))
    new, old = partial / _NEW, partial / _OLD
    with claimed_folder(partial):
        try:
            new.mkdir()
            yield new
            write_tree_through(new)
            if target.exists():
                target.rename(old)
            new.rename(target)
            write_through(target.parent)
        finally:
            _put_back(old, target)
            shutil.rmtree(partial, ignore_errors=True)


def remove_partial(path: Path) -> None:
    """Remove what killed processes left of attempts to write a file or folder."""
    beginning = _prefix(path)
    try:
        found = [place for place in path.parent.iterdir() if place.name.startswith(beginning)]
    except OSError:
        return
    for partial in found:
        if not partial.name.endswith(PARTIAL) or not is_abandoned(partial):
            continue
        if partial.is_dir():
            _put_back(partial / _OLD, path)
        remove(partial)


def remove(path: Path) -> None:
    """Remove a file or folder where that is possible."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Remove a file, and what killed processes left of attempts to write it."""
    path.unlink(missing_ok=True)
    remove_partial(path)


@contextmanager
def claimed_folder(folder: Path) -> Iterator[None]:
    """Show other processes that somebody is at work on a folder; see `is_abandoned`."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        # There are systems on which folders cannot be opened.
        yield
        return
    try:
        claim(handle)
        yield
    finally:
        os.close(handle)


def write_tree_through(folder: Path) -> None:
    """Return once all files of a folder are on the disk."""
    places = [*folder.rglob("*"), folder]
    if len(places) > _FEW and hasattr(os, "sync"):
        os.sync()
        return
    for place in places:
        write_through(place)


def write_through(path: Path) -> None:
    """Return once a file, or the names in a folder, are on the disk.

    Raises:
        OSError: if the disk does not take what was written to a file.
    """
    is_folder = path.is_dir()
    try:
        handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        # Not every system knows this of folders.
        if not is_folder:
            raise
    finally:
        os.close(handle)


def check_name(path: Path, suffixes: tuple[str, ...] = ("",)) -> None:
    """Refuse a name too long for all the files that stand beside a result while it is made.

    Args:
        path: of the result.
        suffixes: that are added to its name.

    Raises:
        OutputError: if there would be no room for the longest.
    """
    try:
        most = os.pathconf(path.parent, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):
        most = LONGEST_NAME
    beside = max(len(os.fsencode(suffix)) for suffix in suffixes)
    spare = len(_prefix(Path("x"))) - 1 + _RANDOM + len(PARTIAL)
    longest = most - beside - spare
    length = len(os.fsencode(path.name))
    if length > longest:
        raise OutputError(
            f"The name '{path.name}' takes {length} bytes, and files beside it need longer ones; "
            f"give one of at most {longest}."
        )


def _prefix(path: Path) -> str:
    return f".{path.name}."


def _put_back(old: Path, target: Path) -> None:
    """Undo the first half of an exchange of folders whose second half never came."""
    if old.exists() and not target.exists():
        with contextlib.suppress(OSError):
            old.rename(target)

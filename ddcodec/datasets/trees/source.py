"""Where a dataset's files come from: a folder or an archive."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from ddcodec.datasets.layouts.label_list import Columns
from ddcodec.datasets.layouts.layout import ListChoice
from ddcodec.datasets.layouts.list_table import is_list_name
from ddcodec.datasets.trees.archive import (
    FILES_READ,
    archive_members,
    archive_stem,
    is_archive_name,
)
from ddcodec.datasets.trees.directory import Keeps, directory_members, keep_all
from ddcodec.datasets.trees.member import Member
from ddcodec.errors import DataError


def source_exists(path: Path) -> bool:
    """Tell whether there is anything at `path`; raises DataError where it is not ours to see.

    The columns of a list of labels, `labels.csv#file,breed`, are no part of its path.
    """
    try:
        is_list = "#" in path.name and is_list_name(path.name.partition("#")[0])
        return path.exists() or (is_list and path.with_name(path.name.partition("#")[0]).exists())
    except PermissionError as error:
        raise DataError(f"cannot read '{path}': permission denied; check its mode.") from error
    except (OSError, ValueError):
        # Too long for a path, or with a zero byte inside: a name, but of nothing.
        return False


def check_source(path: Path) -> None:
    """Raise DataError unless `path` is an existing folder or a file named like an archive."""
    if not source_exists(path):
        raise DataError(f"'{path}' does not exist; check the path of the folder or archive.")
    if not path.is_dir() and not is_archive_name(path):
        raise DataError(
            f"'{path}' is neither a folder nor an archive; pass a folder of images, a list of "
            f"their labels (.csv), or a file ending in {FILES_READ}."
        )


def listed_source(path: Path) -> tuple[Path, ListChoice | None]:
    """Return the folder of the images and the list to go by where a path names a list of labels.

    `photos/labels.csv` is the images of `photos` by that list, `photos/labels.csv#file,breed` by
    these columns of images and labels. Any other path is returned as it is.
    """
    file_name, _, columns = path.name.partition("#")
    if not file_name:
        return path, None
    file = path.with_name(file_name)
    if not is_list_name(file.name) or file.is_dir() or not source_exists(file):
        return path, None
    image, _, label = columns.partition(",")
    return file.parent, ListChoice(file.name, Columns(image or None, label or None))


def source_name(path: Path) -> str:
    """Return what to call the dataset at `path`: its name without the suffix of a file."""
    path = listed_source(path)[0].resolve()
    return path.name if path.is_dir() else archive_stem(path)


def source_members(path: Path, keeps: Keeps = keep_all) -> Iterator[Member]:
    """Yield the visible, wanted files and folders of the source, each readable until the next.

    Raises DataError for whatever cannot be read.
    """
    if path.is_dir():
        return (member for member in directory_members(path, keeps) if not member.is_hidden)
    return (
        member
        for member in archive_members(path)
        if member.path and not member.is_hidden and keeps(member.path)
    )


def source_key(path: Path, keeps: Keeps = keep_all) -> str:
    """Identify the state of the source without reading its contents.

    Returns a hex SHA-256 over the absolute path and, of every wanted file, name, size and time
    of last change, of an archive its own: what a cache needs to notice a changed source. Raises
    DataError for what cannot be read.
    """
    path = path.resolve()
    digest = hashlib.sha256(os.fsencode(path))
    if path.is_dir():
        for member in directory_members(path, keeps):
            digest.update(os.fsencode(member.path))
            digest.update(f"\0{member.size} {member.modified_ns}\n".encode())
        return digest.hexdigest()
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror}; try again.") from error
    digest.update(f"\0{status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()

"""Read a folder whose images lie in archives: one for each split, for each class or for all."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ddcodec.datasets.layouts.split_names import split_called, split_of_file
from ddcodec.datasets.trees.archive import archive_members, archive_stem, is_archive_name
from ddcodec.datasets.trees.directory import directory_members
from ddcodec.datasets.trees.member import Member
from ddcodec.errors import DataError


def packed_members(folder: Path, archives: list[str]) -> Iterator[Member]:
    """Yield the files of a folder and, in place of each archive, what is in it.

    `train.zip` becomes the folder `train`; what the archive has in a folder of that name is not put
    one deeper. `train_images.tar.gz` is of the split, too, where all archives beside it are of one.

    Args:
        folder: on disk.
        archives: those in it, as `archives_in` returns them.

    Raises:
        DataError: Something cannot be read, or two archives hold a file of the same path.
    """
    names = _folder_names(archives)
    holders: dict[str, str] = {}
    for member in directory_members(folder):
        if member.is_hidden:
            continue
        if member.path not in names:
            yield member
            continue
        for inner in archive_members(folder / member.path):
            if not inner.path or inner.is_hidden:
                continue
            packed = replace(inner, path=_path(names[member.path], inner.path))
            holder = holders.setdefault(packed.path, member.path)
            if holder != member.path and not packed.is_folder:
                raise DataError(
                    f"'{holder}' and '{member.path}' in '{folder}' both hold '{inner.path}'; "
                    "unpack them into folders of their own."
                )
            yield packed


def archives_in(folder: Path) -> list[str]:
    """Return the visible archives at any depth of a folder, sorted; raises DataError."""
    return [
        member.path
        for member in directory_members(folder)
        if not member.is_folder and is_archive_name(Path(member.path))
    ]


def _folder_names(archives: list[str]) -> dict[str, str]:
    """Return the path of the folder that each archive stands for."""
    stems = {path: archive_stem(Path(PurePosixPath(path).name)) for path in archives}
    names = {}
    for path, stem in stems.items():
        parent = posixpath.dirname(path)
        beside = [other for found, other in stems.items() if posixpath.dirname(found) == parent]
        of_splits = all(split_of_file(other) for other in beside)
        split = (split_called(stem) or split_of_file(stem)) if of_splits else None
        names[path] = posixpath.join(parent, split or stem)
    return names


def _path(folder: str, inner: str) -> str:
    name = posixpath.basename(folder)
    if inner == name or inner.startswith(f"{name}/"):
        return posixpath.join(posixpath.dirname(folder), inner)
    return posixpath.join(folder, inner)

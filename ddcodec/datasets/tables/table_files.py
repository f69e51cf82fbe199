"""The files of a table or of shards: which there are, and of which split each is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ddcodec.datasets.layouts.split_names import HELD_OUT, TRAIN, split_called, split_of_file


def visible_files(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Return the wanted files at any depth of a folder, sorted, none hidden."""
    found = (path for path in folder.rglob("*") if path.is_file() and wanted(path))
    return sorted(
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def files_by_split(
    files: Iterable[Path], root: Path, stem: Callable[[Path], str]
) -> dict[str, list[Path]]:
    """Return the files of each split: of `train-00000-of-00001`, `test/0` and their like.

    Args:
        files: `root` itself or files in it.
        root: the file or folder that was given.
        stem: of a file, its name without suffix.
    """
    found: dict[str, list[Path]] = {}
    for file in files:
        parts = file.relative_to(root).parts[:-1] if root.is_dir() else ()
        folders = (split_called(part) for part in reversed(parts))
        split = split_of_file(stem(file)) or next(filter(None, folders), None) or TRAIN
        found.setdefault(split, []).append(file)
    return found


def ordered_splits(found: Iterable[str]) -> tuple[str, ...]:
    """Return the splits there are, TRAIN first, then in the order of HELD_OUT."""
    known = set(found)
    return tuple(split for split in (TRAIN, *HELD_OUT) if split in known)

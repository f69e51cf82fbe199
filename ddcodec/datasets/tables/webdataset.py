"""WebDataset shards: tar archives of `KEY.png` and `KEY.cls` (or `KEY.json`) next to each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ddcodec.datasets.tables.row import Row
from ddcodec.datasets.tables.table_files import files_by_split, ordered_splits, visible_files
from ddcodec.datasets.trees.archive import archive_members, archive_stem, is_archive_name
from ddcodec.datasets.trees.image import MAX_RESIZED_FILE_BYTES, is_image_name
from ddcodec.datasets.trees.member import Place
from ddcodec.errors import DataError

DESCRIPTION_FILES = ("dataset.json", "classes.json")
LABEL_SUFFIXES = ("cls", "cls.txt", "label", "class", "json")
LABEL_KEYS = ("label", "cls", "class", "class_id", "target")
MAX_LABEL_BYTES = 2**20
MAX_DESCRIPTION_BYTES = 2**22

_LOOKED_AT = 64
_MOST_DIGITS = 18


class WebDatasetRows:
    """Read a shard, or all shards of a folder; see `RowSource`.

    Raises:
        DataError: A shard is damaged, or an image in it has no label.
    """

    def __init__(self, path: Path) -> None:
        shards = [path] if path.is_file() else shards_of(path)
        self._shards = files_by_split(shards, path, archive_stem)
        self.class_names = _names(path if path.is_dir() else path.parent)

    def splits(self) -> tuple[str, ...]:
        """See `RowSource`."""
        return ordered_splits(self._shards)

    def rows(self, split: str) -> Iterator[Row]:
        """See `RowSource`."""
        for shard in self._shards[split]:
            yield from _rows_of(shard)


def is_shard(path: Path) -> bool:
    """Tell whether an archive holds labels beside images, as a look at its beginning says.

    Raises DataError for an archive that cannot be read.
    """
    if not is_archive_name(path) or path.name.lower().endswith(".zip"):
        return False
    images: set[str] = set()
    labelled: set[str] = set()
    for member in islice(archive_members(path), _LOOKED_AT):
        key, suffix = _parts(member.path)
        if is_image_name(member.path):
            images.add(key)
        elif suffix == "json":
            if not member.is_folder and member.size <= MAX_LABEL_BYTES:
                labelled |= {key} if _of_json(member.read()) is not None else set()
        elif suffix in LABEL_SUFFIXES:
            labelled.add(key)
    return bool(images & labelled)


def shards_of(folder: Path) -> list[Path]:
    """Return the archives at any depth of a folder, sorted, none hidden."""
    return visible_files(folder, is_archive_name)


def _rows_of(shard: Path) -> Iterator[Row]:
    key: str | None = None
    image: tuple[str, bytes, Place | None] | None = None
    label: int | str | None = None
    for member in archive_members(shard):
        if member.is_folder or member.is_hidden:
            continue
        found, suffix = _parts(member.path)
        if found != key:
            if image is not None:
                yield _row(shard, image, label)
            key, image, label = found, None, None
        if is_image_name(member.path):
            if member.size > MAX_RESIZED_FILE_BYTES:
                raise DataError(
                    f"'{member.path}' in '{shard}' is too large to be an image of a dataset; "
                    "leave it out."
                )
            image = (member.path, member.read(), member.place)
        elif suffix in LABEL_SUFFIXES and label is None:
            if member.size > MAX_LABEL_BYTES:
                raise DataError(f"'{member.path}' in '{shard}' is too long for a label.")
            label = _of_json(member.read()) if suffix == "json" else _of_text(member.read())
    if image is not None:
        yield _row(shard, image, label)


def _row(shard: Path, image: tuple[str, bytes, Place | None], label: int | str | None) -> Row:
    path, data, place = image
    if label is None:
        raise DataError(
            f"'{path}' in '{shard}' has no label beside it; add '{_parts(path)[0]}.cls'."
        )
    return f"{path} in {shard}", data, label, place


def _parts(path: str) -> tuple[str, str]:
    """Return what stands before and after the first dot of the file name."""
    folder, slash, name = path.rpartition("/")
    stem, _, suffix = name.partition(".")
    return f"{folder}{slash}{stem}", suffix.lower()


def _of_text(data: bytes) -> int | str | None:
    text = data.decode("utf-8", errors="replace").strip()
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else text or None


def _of_json(data: bytes) -> int | str | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        value = next((value[key] for key in LABEL_KEYS if key in value), None)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return value


def _names(folder: Path) -> tuple[str, ...] | None:
    """Return the class names in the description beside the shards."""
    for name in DESCRIPTION_FILES:
        try:
            # A pipe would be waited for.
            if not (folder / name).is_file():
                continue
            if (folder / name).stat().st_size > MAX_DESCRIPTION_BYTES:
                continue
            described = json.loads((folder / name).read_text(encoding="utf-8"))
            names = described["class_names"] if isinstance(described, dict) else described
            return tuple(map(str, names))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
    return None

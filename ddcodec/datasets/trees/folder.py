"""Load any tree of images sorted into one folder per class."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.cache import cached_dataset, keep_notes
from ddcodec.datasets.layouts.layout import read_layout
from ddcodec.datasets.request import LoadRequest
from ddcodec.datasets.trees.source import (
    check_source,
    listed_source,
    source_key,
    source_members,
)
from ddcodec.datasets.trees.tree import TreeReader
from ddcodec.errors import DataError


def load_folder(
    name: str, data: Path | None, cache_dir: Path, *, one_class: bool = False
) -> Dataset:
    """Load an image tree whose images have one size from a folder or archive; see `load_tree`."""
    return load_tree(LoadRequest(name, data, cache_dir, one_class=one_class))


def load_tree(request: LoadRequest) -> Dataset:
    """Load an image tree from a folder or archive, or the images that a list of labels names.

    See `layout.read_layout` for the shapes a tree may have, `image.decode_image` for what becomes
    of the pixels and `resize.fit` for what `request.size` does; without it all images must have one
    size. C is 1 where all images are grey, else 3. Raises DataError naming the file or folder that
    is wrong.
    """
    if request.data is None:
        raise DataError(
            f"'{request.name}' has no images of its own; pass --data with a folder or archive."
        )
    data, choice = listed_source(request.data)
    check_source(data)
    resized = "" if request.size is None else f" at {request.size}"
    what = f"image tree {source_key(data)}{resized} {choice or ''} {request.one_class or ''}"
    key = hashlib.sha256(what.strip().encode()).hexdigest()

    def build(folder: Path) -> tuple[str, ...]:
        reader = TreeReader(data, request.size, request.on_progress)
        members = reader.noting(source_members(data))
        layout = read_layout(members, str(data), choice, request.one_class)
        names = reader.decode(layout, source_members(data), folder)
        keep_notes(folder, (*layout.notes, *reader.notes(layout)))
        return names

    return cached_dataset(request.name, key, request.cache_dir, build)

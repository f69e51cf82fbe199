"""Load any tree of images sorted into one folder per class."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.cache import cached_dataset, keep_notes
from ddcodec.datasets.layouts.layout import read_layout
from ddcodec.datasets.request import LoadRequest
from ddcodec.datasets.trees.image import is_image_name
from ddcodec.datasets.trees.member import Member
from ddcodec.datasets.trees.packed import archives_in, packed_members
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


def tree_members(data: Path) -> Iterator[Member]:
    """Yield the files of a folder or archive; where a folder has archives only, what they hold."""
    # A tree of images shows one at once; looking for archives takes all of it.
    if data.is_dir() and not has_images(data) and (archives := archives_in(data)):
        return packed_members(data, archives)
    return source_members(data)


def has_images(folder: Path) -> bool:
    """Tell whether there is an image at any depth; of a tree of images, at once."""
    return any(
        is_image_name(name) and not name.startswith(".")
        for _, _, names in os.walk(folder)
        for name in names
    )


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
        reader = TreeReader(data, request.size, request.on_progress, request.cache_limit)
        members = reader.noting(tree_members(data))
        layout = read_layout(members, str(data), choice, request.one_class)
        keep_notes(folder, (*layout.notes, *reader.notes(layout)))
        return reader.decode(layout, tree_members(data), folder)

    return cached_dataset(request.name, key, request.cache_dir, build, request.cache_limit)

"""Load any tree of images sorted into one folder per class."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.cache import allocate_split, cached_dataset
from ddcodec.datasets.image import ImageHeader, check_file_size, decode_image, read_header
from ddcodec.datasets.layout import Layout, is_image_name, read_layout
from ddcodec.datasets.member import Member
from ddcodec.datasets.source import check_source, source_key, source_members
from ddcodec.errors import DataError


def load_folder(name: str, data: Path | None, cache_dir: Path) -> Dataset:
    """Load an image tree from a folder or archive.

    See `layout.read_layout` for the shapes a tree may have and `image.decode_image` for what
    becomes of the pixels. All images must have one size; C is 1 where all are grey, else 3.
    Raises DataError naming the file or folder that is wrong.
    """
    if data is None:
        raise DataError(f"'{name}' has no images of its own; pass --data with a folder or archive.")
    check_source(data)
    key = hashlib.sha256(f"image tree {source_key(data)}".encode()).hexdigest()

    def build(folder: Path) -> tuple[str, ...]:
        return _decode_tree(data, folder)

    return cached_dataset(name, key, cache_dir, build)


def _decode_tree(source: Path, folder: Path) -> tuple[str, ...]:
    """Decode the tree at `source` into arrays in `folder`; returns the class names.

    The source is read twice: headers first, so that whatever is wrong with the tree is known
    before any array is made and every image can go straight to its place.
    """
    headers: dict[str, ImageHeader] = {}
    layout = read_layout(_noting_headers(source, headers), str(source))
    shape = _common_shape(layout, headers)
    places: dict[str, tuple[NDArray[np.uint8], int]] = {}
    for split, listed in (("train", layout.train), ("test", layout.test)):
        if listed is not None:
            images, labels = allocate_split(folder, split, (len(listed.paths), *shape))
            labels[:] = listed.labels
            places.update((path, (images, index)) for index, path in enumerate(listed.paths))
    found = set()
    for member in source_members(source):
        if member.path in places:
            pixels = decode_image(member.read(), member.path, channels=shape[0])
            if pixels.shape != shape:
                raise _changed(source, member.path)
            images, index = places[member.path]
            images[index] = pixels
            found.add(member.path)
    for path in places:
        if path not in found:
            raise _changed(source, path)
    return layout.class_names


def _noting_headers(source: Path, headers: dict[str, ImageHeader]) -> Iterator[Member]:
    """Yield the members of `source`, reading image headers into `headers` on the way."""
    for member in source_members(source):
        if not member.is_folder and is_image_name(member.path):
            check_file_size(member.size, member.path)
            headers[member.path] = read_header(member.read(), member.path)
        yield member


def _common_shape(layout: Layout, headers: dict[str, ImageHeader]) -> tuple[int, int, int]:
    """Return the C×H×W all images have; raises DataError naming the first that differs."""
    used = [listed for listed in (layout.train, layout.test) if listed is not None]
    paths = [path for listed in used for path in listed.paths]
    first = headers[paths[0]]
    for path in paths:
        header = headers[path]
        if (header.height, header.width) != (first.height, first.width):
            raise DataError(
                f"'{path}' has {header.width}x{header.height} pixels but '{paths[0]}' has "
                f"{first.width}x{first.height}; resize all images to one size."
            )
    is_grey = all(headers[path].is_grey for path in paths)
    return (1 if is_grey else 3), first.height, first.width


def _changed(source: Path, path: str) -> DataError:
    return DataError(f"'{path}' in '{source}' changed while it was being read; try again.")

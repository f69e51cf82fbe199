"""Load a dataset from its official files: given by the user, in the cache, or downloaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.cache import cached_dataset
from ddcodec.datasets.cached_arrays import allocate_split
from ddcodec.datasets.own import is_npz_name, load_own, resized
from ddcodec.datasets.request import LoadRequest, OnProgress
from ddcodec.datasets.sources.download import OfficialFile, check_sha256, download, downloads_dir
from ddcodec.datasets.trees.image import is_image_name
from ddcodec.datasets.trees.member import Member
from ddcodec.datasets.trees.source import check_source, source_key, source_members
from ddcodec.errors import DataError

MAX_MEMBER_BYTES = 2**28
MAX_TOTAL_BYTES = 2**29
"""No official file that is read whole is as long, and all of a dataset are not, either."""

Decode = Callable[[Path, Path, OnProgress], tuple[str, ...]]
"""Reads a source, writes its splits into an empty folder, and returns the class names."""


@dataclass(frozen=True)
class OfficialFormat:
    """Say how the official files of a dataset are found and decoded.

    Attributes:
        name: identifies the format in the cache.
        files: what is downloaded: one archive, or files that lie in one folder.
        is_official: tells the path of an official file inside a source from others.
        decode: reads the source.
        checksums: SHA-256 of other official archives, by file name.
    """

    name: str
    files: tuple[OfficialFile, ...]
    is_official: Callable[[str], bool]
    decode: Decode
    checksums: Mapping[str, str] = field(default_factory=dict)


def load_official(request: LoadRequest, form: OfficialFormat) -> Dataset:
    """Load a dataset from its official files, downloading them where `request.data` is None.

    `request.data` may be a folder or archive that holds them, or images of the user's own, which
    go to `load_own`. An archive with an official name must have the official SHA-256. Raises
    DataError for damaged or missing data, and without a network says where the files belong.
    """
    data = request.data
    if data is None:
        # The checksums say what the arrays are, so they outlive the downloaded files.
        key = " ".join(file.sha256 for file in form.files)
    else:
        if is_npz_name(data) or not _holds_official(data, form):
            return load_own(request)
        key = source_key(data)

    def build(folder: Path) -> tuple[str, ...]:
        source = _checked(data, form) if data is not None else _downloaded(request, form)
        return form.decode(source, folder, request.on_progress)

    key = hashlib.sha256(f"{form.name} {key}".encode()).hexdigest()
    dataset = cached_dataset(request.name, key, request.cache_dir, build, request.cache_limit)
    return resized(dataset, request)


def named_members(source: Path, names: Callable[[str], str | None]) -> Iterator[tuple[str, Member]]:
    """Yield the files of `source` that `names` gives a name for, with it; it takes file names.

    Each can be read until the next is asked for. Raises DataError for files of absurd length.
    """
    total_bytes = 0
    for member in source_members(source):
        name = None if member.is_folder else names(member.path.rpartition("/")[2])
        if name is not None:
            total_bytes += member.size
            if member.size > MAX_MEMBER_BYTES:
                raise DataError(
                    f"'{member.path}' has {member.size:,} bytes, more than any official file; "
                    "download it again."
                )
            if total_bytes > MAX_TOTAL_BYTES:
                raise DataError(
                    f"'{source}' has {total_bytes:,} bytes up to '{member.path}', more than all "
                    "official files; download it again."
                )
            yield name, member


def write_split(
    folder: Path, split: str, images: NDArray[np.uint8], labels: NDArray[np.integer]
) -> None:
    """Write one split: images, uint8, N×C×H×W in any memory order, and labels, N."""
    num_images, channels, height, width = images.shape
    to_images, to_labels = allocate_split(folder, split, (num_images, channels, height, width))
    np.copyto(to_images, images)
    to_labels[:] = labels


def _holds_official(source: Path, form: OfficialFormat) -> bool:
    """Tell official files from an image tree by the first telling file."""
    check_source(source)
    for member in source_members(source):
        if not member.is_folder and form.is_official(member.path):
            return True
        if not member.is_folder and is_image_name(member.path):
            return False
    return False


def _checked(source: Path, form: OfficialFormat) -> Path:
    """Return a source of the user's whose archive is official if it is called so."""
    known = {file.name: file.sha256 for file in form.files} | dict(form.checksums)
    if source.is_file() and source.name in known:
        check_sha256(source, known[source.name])
    return source


def _downloaded(request: LoadRequest, form: OfficialFormat) -> Path:
    """Return the archive, or the folder of the files, in the cache."""
    paths = [download(file, request.cache_dir, request.on_progress) for file in form.files]
    if len(paths) == 1:
        return paths[0]
    return downloads_dir(request.cache_dir) / form.files[0].path.rpartition("/")[0]

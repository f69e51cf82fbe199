"""Load a source that gives pairs of an image file and a label, one after the other, twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.cache import cached_dataset, keep_notes
from ddcodec.datasets.cached_arrays import allocate_split
from ddcodec.datasets.in_arrays.array_labels import SettledLabels, settle_labels, settle_texts
from ddcodec.datasets.layouts.split_names import HELD_OUT, TRAIN
from ddcodec.datasets.request import LoadProgress, LoadRequest
from ddcodec.datasets.streamed.decoding import EncodedImage, decode_each, usable_cores
from ddcodec.datasets.streamed.entry import write_streamed
from ddcodec.datasets.streamed.one_pass import Listing, StreamedSource
from ddcodec.datasets.tables.row import Row, RowSource
from ddcodec.datasets.trees.image import ImageHeader, check_file_size, decode_image, read_header
from ddcodec.datasets.trees.member import Place
from ddcodec.datasets.trees.source import source_key
from ddcodec.datasets.trees.tree import PROGRESS_IMAGES
from ddcodec.errors import DataError

MAX_LABEL_CHARACTERS = 1000


def load_rows(request: LoadRequest, source: RowSource) -> Dataset:
    """Load the images of a source; only those of one split are held at a time, as files.

    Raises:
        DataError: A row that cannot be read or has another size than the others, or nothing to
            train on.
    """
    data = request.data
    assert data is not None
    what = f"rows {source_key(data)} at {request.size}"
    key = hashlib.sha256(what.encode()).hexdigest()

    def build(folder: Path) -> tuple[str, ...]:
        return _build(source, request, folder)

    return cached_dataset(request.name, key, request.cache_dir, build, request.cache_limit)


def _build(source: RowSource, request: LoadRequest, folder: Path) -> tuple[str, ...]:
    there = source.splits()
    held_out = next((split for split in HELD_OUT if split in there), None)
    used = {TRAIN: TRAIN} | ({} if held_out is None else {"test": held_out})
    if TRAIN not in there:
        # A lone split is the whole dataset.
        used = {TRAIN: there[0]} if len(there) == 1 else {}
    if not used:
        raise DataError(f"'{request.data}' has {', '.join(there)} but no training images.")
    listed = {name: _first_pass(source, split, request) for name, split in used.items()}
    labels = {name: one.labels for name, one in listed.items()}
    settled = _settled(labels, source.class_names)
    shape = _common_shape([header for one in listed.values() for header in one.headers], request)
    unused = [split for split in there if split not in used.values()]
    notes = [f"{split} is not used: {held_out} is what is tested on." for split in unused]
    keep_notes(folder, (*settled.notes, *notes))
    num_images = sum(len(one.labels) for one in listed.values())
    limit_bytes = request.cache_limit
    if limit_bytes is not None and num_images * prod(shape) > limit_bytes:
        assert request.data is not None
        listings = {name: one.listing(settled.splits[name]) for name, one in listed.items()}
        streamed = StreamedSource(
            request.data, shape, request.size, limit_bytes, request.on_progress
        )
        write_streamed(folder, streamed, settled.class_names, listings)
        return settled.class_names
    for name, split in used.items():
        images, numbers = allocate_split(folder, name, (len(labels[name]), *shape))
        numbers[:] = settled.splits[name]
        _decode_rows(source.rows(split), listed[name].headers, images, request)
    return settled.class_names


def _decode_rows(
    rows: Iterable[Row],
    headers: list[ImageHeader],
    images: NDArray[np.uint8],
    request: LoadRequest,
) -> None:
    files = (
        EncodedImage(index, where, data, headers[index].height * headers[index].width)
        for index, (where, data, *_) in enumerate(rows)
    )

    def decode(file: EncodedImage) -> NDArray[np.uint8]:
        return decode_image(file.data, file.path, images.shape[1], request.size)

    def put(file: EncodedImage, pixels: NDArray[np.uint8]) -> None:
        images[file.number] = pixels
        _show(request, "decoding", file.number, len(images))

    decode_each(files, decode, put, usable_cores())


@dataclass
class _Listed:
    """What the first pass notes of the images of a split; what only streaming takes, if it may."""

    headers: list[ImageHeader] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    places: list[Place | None] = field(default_factory=list)

    def listing(self, labels: NDArray[np.int64]) -> Listing:
        areas = [header.height * header.width for header in self.headers]
        return Listing(labels, self.names, self.places, areas)


def _first_pass(source: RowSource, split: str, request: LoadRequest) -> _Listed:
    listed = _Listed()
    labels, known = listed.labels, dict[int | str, int | str]()
    for where, data, label, place in source.rows(split):
        check_file_size(len(data), where, request.size)
        listed.headers.append(read_header(data, where, request.size))
        if isinstance(label, str) and len(label) > MAX_LABEL_CHARACTERS:
            raise DataError(
                f"{where} has a label of {len(label):,} characters; one may have at most "
                f"{MAX_LABEL_CHARACTERS}."
            )
        # Many labels are one object.
        labels.append(known.setdefault(label, label))
        if request.cache_limit is not None:
            listed.names.append(where)
            listed.places.append(place)
        _show(request, "listing", len(labels), None)
    if not labels:
        raise DataError(f"'{request.data}' has no images in its split {split}.")
    if len({type(label) for label in labels}) > 1:
        raise DataError(
            f"some labels in '{request.data}' are texts, others numbers; save them alike."
        )
    return listed


def _settled(labels: dict[str, list[Any]], class_names: tuple[str, ...] | None) -> SettledLabels:
    """Return labels as numbers; an array of texts would have the longest of them in every row."""
    are_texts = {isinstance(found[0], str) for found in labels.values()}
    if are_texts == {True}:
        return settle_texts(labels)
    return settle_labels({split: np.array(found) for split, found in labels.items()}, class_names)


def _common_shape(every: list[ImageHeader], request: LoadRequest) -> tuple[int, int, int]:
    channels = 1 if all(header.is_grey for header in every) else 3
    if request.size is not None:
        return channels, request.size.height, request.size.width
    sizes = {(header.height, header.width) for header in every}
    if len(sizes) > 1:
        (a, b), (c, d) = sorted(sizes)[0], sorted(sizes)[-1]
        raise DataError(
            f"images of '{request.data}' have {b}x{a} to {d}x{c} pixels; pass --size N to resize "
            "all images to one size."
        )
    height, width = sizes.pop()
    return channels, height, width


def _show(request: LoadRequest, stage: str, done: int, total: int | None) -> None:
    if done % PROGRESS_IMAGES == 0:
        request.on_progress(LoadProgress(stage, done, total, "images"))

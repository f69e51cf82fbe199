"""Decode the listed images of a folder or archive into the cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.cached_arrays import allocate_split
from ddcodec.datasets.layouts.layout import LabelledPaths, Layout
from ddcodec.datasets.request import LoadProgress, OnProgress
from ddcodec.datasets.streamed.decoding import EncodedImage, decode_each, usable_cores
from ddcodec.datasets.streamed.entry import write_streamed
from ddcodec.datasets.streamed.one_pass import Listing, StreamedSource
from ddcodec.datasets.trees.image import (
    ImageHeader,
    check_file_size,
    decode_image,
    is_image_name,
    read_header,
)
from ddcodec.datasets.trees.member import Member, Place
from ddcodec.datasets.trees.resize import ImageSize
from ddcodec.datasets.wording import counted
from ddcodec.errors import DataError

PROGRESS_IMAGES = 200
"""How many images are read between two calls of `on_progress`."""


@dataclass(frozen=True)
class TreeReader:
    """Read the images of a source, in two passes.

    Headers first, so that whatever is wrong with the source is known before any array is made and
    every image can go straight to its place.

    Attributes:
        source: named in messages.
        size: what to bring all images to, or None where all must have one size.
        on_progress: called now and then.
        limit_bytes: of decoded pixels; above it images are decoded when needed. None for any
            number.
        headers: of the images that `noting` has met, by path.
        places: where they lie, by path, where there is a limit.
    """

    source: Path
    size: ImageSize | None
    on_progress: OnProgress
    limit_bytes: int | None = None
    headers: dict[str, ImageHeader] = field(default_factory=dict)
    places: dict[str, Place | None] = field(default_factory=dict)
    _known: dict[ImageHeader, ImageHeader] = field(default_factory=dict)

    def noting(self, members: Iterable[Member]) -> Iterator[Member]:
        """Yield the members, reading image headers on the way."""
        for member in members:
            if not member.is_folder and is_image_name(member.path):
                check_file_size(member.size, member.path, self.size)
                header = read_header(member.read(), member.path, self.size)
                # Many images are alike.
                self.headers[member.path] = self._known.setdefault(header, header)
                if self.limit_bytes is not None:
                    self.places[member.path] = member.place
                if len(self.headers) % PROGRESS_IMAGES == 0:
                    self.on_progress(LoadProgress("listing", len(self.headers), None, "images"))
            yield member

    def decode(self, layout: Layout, members: Iterable[Member], folder: Path) -> tuple[str, ...]:
        """Decode the images of a layout into arrays in `folder`; returns the class names.

        Above the limit only where they are is written, and what `write_streamed` says. `members`
        are those of the first pass once more. Raises DataError naming the image that is wrong or
        has changed.
        """
        shape = self._common_shape(layout)
        num_images = sum(len(listed.paths) for _, listed in _splits(layout))
        if self.limit_bytes is not None and num_images * prod(shape) > self.limit_bytes:
            return self._place(layout, shape, self.limit_bytes, folder)
        places: dict[str, tuple[NDArray[np.uint8], int]] = {}
        for split, listed in _splits(layout):
            images, labels = allocate_split(folder, split, (len(listed.paths), *shape))
            labels[:] = listed.labels
            places.update((path, (images, index)) for index, path in enumerate(listed.paths))
        found = set()

        def wanted() -> Iterator[EncodedImage]:
            for member in members:
                if member.path in places:
                    header = self.headers[member.path]
                    area = header.height * header.width
                    yield EncodedImage(0, member.path, member.read(), area)

        def decode(file: EncodedImage) -> NDArray[np.uint8]:
            return decode_image(file.data, file.path, shape[0], self.size)

        def put(file: EncodedImage, pixels: NDArray[np.uint8]) -> None:
            if pixels.shape != shape:
                raise self._changed(file.path)
            images, index = places[file.path]
            images[index] = pixels
            found.add(file.path)
            if len(found) % PROGRESS_IMAGES == 0:
                self.on_progress(LoadProgress("decoding", len(found), len(places), "images"))

        decode_each(wanted(), decode, put, usable_cores())
        for path in places:
            if path not in found:
                raise self._changed(path)
        return layout.class_names

    def _place(
        self, layout: Layout, shape: tuple[int, int, int], limit_bytes: int, folder: Path
    ) -> tuple[str, ...]:
        listings = {}
        for split, listed in _splits(layout):
            headers = [self.headers[path] for path in listed.paths]
            places = [self.places[path] for path in listed.paths]
            areas = [header.height * header.width for header in headers]
            listings[split] = Listing(np.array(listed.labels), listed.paths, places, areas)
        source = StreamedSource(self.source, shape, self.size, limit_bytes, self.on_progress)
        # What the first pass kept takes more than the table that is made of it.
        self.headers.clear()
        self.places.clear()
        write_streamed(folder, source, layout.class_names, listings)
        return layout.class_names

    def notes(self, layout: Layout) -> tuple[str, ...]:
        """Return sentences on what became of images that are unlike others."""
        headers = [self.headers[path] for _, listed in _splits(layout) for path in listed.paths]
        notes = []
        if animated := sum(header.is_animated for header in headers):
            notes.append(f"Animated, of which the first frame is taken: {counted(animated)}.")
        grey = sum(header.is_grey for header in headers)
        if 0 < grey < len(headers):
            notes.append(f"Grey and brought to RGB, as the others are: {counted(grey)}.")
        if self.size is not None:
            odd = sum((h.height, h.width) != (self.size.height, self.size.width) for h in headers)
            side = f"{self.size.height}x{self.size.width}"
            notes += [f"Brought to {side}: {counted(odd)}."] if odd else []
        return tuple(notes)

    def _common_shape(self, layout: Layout) -> tuple[int, int, int]:
        """Return the C×H×W all images will have; raises DataError naming the first that differs."""
        paths = [path for _, listed in _splits(layout) for path in listed.paths]
        channels = 1 if all(self.headers[path].is_grey for path in paths) else 3
        if self.size is not None:
            return channels, self.size.height, self.size.width
        first = self.headers[paths[0]]
        for path in paths:
            header = self.headers[path]
            if (header.height, header.width) != (first.height, first.width):
                raise DataError(
                    f"'{path}' has {header.width}x{header.height} pixels but '{paths[0]}' has "
                    f"{first.width}x{first.height}; pass --size N to resize all images to one "
                    "size."
                )
        return channels, first.height, first.width

    def _changed(self, path: str) -> DataError:
        return DataError(f"'{path}' in '{self.source}' changed while it was being read; try again.")


def _splits(layout: Layout) -> list[tuple[str, LabelledPaths]]:
    both = (("train", layout.train), ("test", layout.test))
    return [(split, listed) for split, listed in both if listed is not None]

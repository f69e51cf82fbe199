"""From the bytes of a file to symbols, labels and pixels, all verified."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.checksum import ContentChecksum, content_checksum
from ddcodec.codec.labels.chosen_classes import Classes, chosen_classes
from ddcodec.codec.labels.class_counts import labels_of
from ddcodec.codec.labels.labeler import ExactLabeler
from ddcodec.codec.stream import Content, Sections, synthesis_of, walk_latents, walk_shared
from ddcodec.codec.surroundings import Latents
from ddcodec.codec.synthesis import ExactDecoder
from ddcodec.entropy.range_coder import RangeDecoder
from ddcodec.errors import FormatError
from ddcodec.format.container import Container, unpack_container
from ddcodec.format.header import Header
from ddcodec.format.limits import DecodeLimits
from ddcodec.format.pixel_claims import WINDOW_POSITIONS

BATCH_PIXELS = WINDOW_POSITIONS
"""Positions of the images that are rendered at once, at most, where one image has fewer."""


@dataclass(frozen=True)
class DecodedSymbols:
    """A file of which everything but pixels is decoded.

    Attributes:
        container: header, payload and sizes.
        content: symbols and weights.
        labels: N, int64, sorted by class.
        section_bits: information content of each part of the payload, in bits.
    """

    container: Container
    content: Content
    labels: NDArray[np.int64]
    section_bits: dict[str, float]

    @property
    def header(self) -> Header:
        """The fixed facts of the file."""
        return self.container.header

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return self.container.file_bytes

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; their numbers where the file keeps no names."""
        return _names_of(self.content)

    def image_batches(
        self, numbers: NDArray[np.int64] | None = None
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield images in order, some at a time, n × C × H × W.

        Args:
            numbers: of the images to draw, rising; no others are drawn, and no checksum of the
                content is compared, which covers all. None for all.

        Raises:
            FormatError: after the last of all images, if the content does not match its checksum;
                until then nothing is verified.
        """
        if numbers is not None:
            yield from render_batches(self.header, self.content, numbers=numbers)
            return
        checksum = ContentChecksum(self.header, self.content)
        for images in render_batches(self.header, self.content):
            checksum.see(images)
            yield images
        _check_crc(checksum.value(), self.container)


@dataclass(frozen=True)
class DecodedFile(DecodedSymbols):
    """A verified file, or some classes of a file whose outer checksum is right.

    Attributes:
        images: N × C × H × W, uint8.
        classes: numbers of the classes whose images and labels these are, rising, int64; None for
            all of them.
    """

    images: NDArray[np.uint8]
    classes: NDArray[np.int64] | None = None

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """Numbers of the images in the file, int64."""
        return _numbers_of(self.content, self.classes)

    def image_batches(
        self, numbers: NDArray[np.int64] | None = None
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield images in order, all or those of some numbers in the file."""
        if numbers is None:
            yield self.images
        else:
            yield self.images[self.numbers.searchsorted(numbers)]


def decode_symbols(
    data: bytes, limits: DecodeLimits | None = None, classes: Classes | None = None
) -> DecodedSymbols:
    """Decode a whole file but for its pixels; what was decoded is not verified yet.

    Args:
        data: the file.
        limits: bounds on what it may take; None for the defaults.
        classes: that will be drawn: latents behind those of their network sets are not read, and
            are of no image in what is returned. None for all.

    Raises:
        FormatError: if the bytes are not a valid file within the limits.
        DataError: if there is no such class.
    """
    container = unpack_container(data, limits)
    header, coder, sections = container.header, RangeDecoder(container.payload), Sections()
    content = walk_shared(coder, header, None, sections)
    num_sets = header.num_sets
    if classes is not None:
        chosen = chosen_classes(classes, _names_of(content))
        num_sets = int(content.class_sets[chosen].max()) + 1
    latents = walk_latents(coder, header, content, None, sections, num_sets)
    if num_sets == header.num_sets:
        coder.finish()
    content = replace(content, latents=latents)
    return DecodedSymbols(container, content, labels_of(content.class_counts), sections.bits)


def decode_bytes(
    data: bytes, limits: DecodeLimits | None = None, classes: Classes | None = None
) -> DecodedFile:
    """Decode a whole file and check both checksums, or draw some of its classes alone.

    Args:
        data: the file.
        limits: bounds on what it may take; None for the defaults.
        classes: names, numbers and ranges of numbers, as `cat,17,0-9` or in a list; no others are
            drawn. Then the checksum of the content, which covers all images, is not compared; that
            of the bytes is. None for all.

    Raises:
        FormatError: if the bytes are not a valid file within the limits.
        DataError: if there is no such class.
    """
    symbols = decode_symbols(data, limits, classes)
    if classes is not None:
        return _drawn_alone(symbols, chosen_classes(classes, symbols.class_names))
    container, content, labels = symbols.container, symbols.content, symbols.labels
    images = render_exact(container.header, content)
    _check_crc(content_checksum(container.header, content, images), container)
    return DecodedFile(container, content, labels, symbols.section_bits, images)


def _drawn_alone(symbols: DecodedSymbols, classes: NDArray[np.int64]) -> DecodedFile:
    header, content = symbols.header, symbols.content
    numbers = _numbers_of(content, classes)
    images = render_exact(header, content, numbers)
    if header.labeler is not None and content.labeler is not None:
        # Proven exact, as it is where the checksum of the content is compared.
        ExactLabeler(header.labeler, content.labeler)
    return DecodedFile(
        symbols.container, content, symbols.labels[numbers], symbols.section_bits, images, classes
    )


def _names_of(content: Content) -> tuple[str, ...]:
    count = len(content.class_counts)
    digits = len(str(count - 1))
    return content.class_names or tuple(f"{index:0{digits}}" for index in range(count))


def _numbers_of(content: Content, classes: NDArray[np.int64] | None) -> NDArray[np.int64]:
    is_chosen = np.ones(len(content.class_counts), dtype=np.bool_)
    if classes is not None:
        is_chosen[:] = False
        is_chosen[classes] = True
    return np.flatnonzero(is_chosen.repeat(content.class_counts)).astype(np.int64)


def render_exact(
    header: Header, content: Content, numbers: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """Return all images, N × C × H × W uint8, sorted by class, or those of some numbers."""
    count = header.num_images if numbers is None else len(numbers)
    images = np.empty((count, header.channels, header.height, header.width), dtype=np.uint8)
    done = 0
    for batch in render_batches(header, content, numbers=numbers):
        images[done : done + len(batch)] = batch
        done += len(batch)
    return images


def render_batches(
    header: Header,
    content: Content,
    latents: Sequence[Latents] | None = None,
    numbers: NDArray[np.int64] | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Yield images sorted by class, n × C × H × W uint8, at most `BATCH_PIXELS` at a time.

    Args:
        header: of the file.
        content: of the file.
        latents: of each set, in place of those of the content.
        numbers: of the images to draw, rising; None for all.
    """
    latents = content.latents if latents is None else latents
    synthesis = synthesis_of(header)
    decoders: dict[int, ExactDecoder] = {}
    sets, places = _sets_and_places(content)
    if numbers is not None:
        sets, places = sets[numbers], places[numbers]
    left = np.bincount(sets, minlength=len(content.networks))
    most = max(1, BATCH_PIXELS // (header.height * header.width))
    for start in range(0, len(sets), most):
        rows_of_sets = _rows_of_sets(sets[start : start + most])
        images = np.empty(
            (sum(map(len, rows_of_sets.values())), header.channels, header.height, header.width),
            dtype=np.uint8,
        )
        for set_index, rows in rows_of_sets.items():
            if set_index not in decoders:
                decoders[set_index] = synthesis.exact(content.networks[set_index])
            part = _part(places[start + rows])
            images[rows] = decoders[set_index].decode([plane[part] for plane in latents[set_index]])
            left[set_index] -= len(rows)
            if not left[set_index]:
                del decoders[set_index]
        yield images


def _sets_and_places(content: Content) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the set of networks of every image, and its place among the images of its set."""
    sets = content.class_sets.repeat(content.class_counts)
    order = np.argsort(sets, kind="stable")
    counts = np.bincount(sets, minlength=len(content.networks))
    firsts = np.cumsum(counts) - counts
    places = np.empty(len(sets), dtype=np.int64)
    places[order] = np.arange(len(sets)) - firsts.repeat(counts)
    return sets, places


def _rows_of_sets(sets: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Return for some images in a row the rows of each set of networks among them.

    However classes and sets alternate, each set is asked once.
    """
    order = np.argsort(sets, kind="stable")
    found, firsts = np.unique(sets[order], return_index=True)
    rows = np.split(order, firsts[1:])
    return dict(zip(found.tolist(), rows, strict=True))


def _part(places: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Return rising places as a slice where none is left out, which copies nothing."""
    first, stop = int(places[0]), int(places[-1]) + 1
    return slice(first, stop) if stop - first == len(places) else places


def _check_crc(crc: int, container: Container) -> None:
    if crc != container.content_crc:
        raise FormatError("The decoded content does not match its checksum; the file is damaged.")

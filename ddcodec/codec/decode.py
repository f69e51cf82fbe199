"""From the bytes of a file to symbols, labels and pixels, all verified."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.checksum import ContentChecksum, content_checksum
from ddcodec.codec.labels.class_counts import labels_of
from ddcodec.codec.stream import Content, Sections, synthesis_of, walk
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
        count = self.header.num_classes
        digits = len(str(count - 1))
        return self.content.class_names or tuple(f"{index:0{digits}}" for index in range(count))

    def image_batches(self) -> Iterator[NDArray[np.uint8]]:
        """Yield all images in order, some at a time, n × C × H × W.

        Raises:
            FormatError: after the last one, if the content does not match its checksum; until
                then nothing is verified.
        """
        checksum = ContentChecksum(self.header, self.content)
        for images in render_batches(self.header, self.content):
            checksum.see(images)
            yield images
        _check_crc(checksum.value(), self.container)


@dataclass(frozen=True)
class DecodedFile(DecodedSymbols):
    """A verified file.

    Attributes:
        images: N × C × H × W, uint8.
    """

    images: NDArray[np.uint8]

    def image_batches(self) -> Iterator[NDArray[np.uint8]]:
        """Yield all images in order, which are known to be right."""
        yield self.images


def decode_symbols(data: bytes, limits: DecodeLimits | None = None) -> DecodedSymbols:
    """Decode a whole file but for its pixels; what was decoded is not verified yet.

    Raises:
        FormatError: if the bytes are not a valid file within the limits.
    """
    container = unpack_container(data, limits)
    coder = RangeDecoder(container.payload)
    sections = Sections()
    content = walk(coder, container.header, None, sections)
    coder.finish()
    return DecodedSymbols(container, content, labels_of(content.class_counts), sections.bits)


def decode_bytes(data: bytes, limits: DecodeLimits | None = None) -> DecodedFile:
    """Decode a whole file and check both checksums.

    Raises:
        FormatError: if the bytes are not a valid file within the limits.
    """
    symbols = decode_symbols(data, limits)
    container, content, labels = symbols.container, symbols.content, symbols.labels
    images = render_exact(container.header, content)
    _check_crc(content_checksum(container.header, content, images), container)
    return DecodedFile(container, content, labels, symbols.section_bits, images)


def render_exact(header: Header, content: Content) -> NDArray[np.uint8]:
    """Return all images, N × C × H × W uint8, sorted by class."""
    shape = (header.num_images, header.channels, header.height, header.width)
    images = np.empty(shape, dtype=np.uint8)
    done = 0
    for batch in render_batches(header, content):
        images[done : done + len(batch)] = batch
        done += len(batch)
    return images


def render_batches(
    header: Header, content: Content, latents: Sequence[Latents] | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Yield all images sorted by class, n × C × H × W uint8, at most `BATCH_PIXELS` at a time.

    Args:
        header: of the file.
        content: of the file.
        latents: of each set, in place of those of the content.
    """
    latents = content.latents if latents is None else latents
    synthesis = synthesis_of(header)
    decoders: dict[int, ExactDecoder] = {}
    rendered = [0] * len(content.networks)
    most = max(1, BATCH_PIXELS // (header.height * header.width))
    for rows_of_sets in _windows(content, most):
        images = np.empty(
            (sum(map(len, rows_of_sets.values())), header.channels, header.height, header.width),
            dtype=np.uint8,
        )
        for set_index, rows in rows_of_sets.items():
            if set_index not in decoders:
                decoders[set_index] = synthesis.exact(content.networks[set_index])
            first = rendered[set_index]
            part = slice(first, first + len(rows))
            images[rows] = decoders[set_index].decode([plane[part] for plane in latents[set_index]])
            rendered[set_index] = part.stop
            if part.stop == len(latents[set_index][0]):
                del decoders[set_index]
        yield images


def _windows(content: Content, most: int) -> Iterator[dict[int, NDArray[np.int64]]]:
    """Yield for at most so many images in a row the rows of each set of networks among them.

    However classes and sets alternate, each set is asked once.
    """
    sets = content.class_sets.repeat(content.class_counts)
    for start in range(0, len(sets), most):
        window = sets[start : start + most]
        order = np.argsort(window, kind="stable")
        found, firsts = np.unique(window[order], return_index=True)
        rows = np.split(order, firsts[1:])
        yield dict(zip(found.tolist(), rows, strict=True))


def _check_crc(crc: int, container: Container) -> None:
    if crc != container.content_crc:
        raise FormatError("The decoded content does not match its checksum; the file is damaged.")

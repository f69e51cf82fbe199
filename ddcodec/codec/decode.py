"""From the bytes of a file to symbols, labels and pixels, all verified."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

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

BATCH_PIXELS = 1 << 20
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
    for set_index, count in _runs(content):
        if set_index not in decoders:
            decoders[set_index] = synthesis.exact(content.networks[set_index])
        for start in range(0, count, most):
            first = rendered[set_index]
            rows = slice(first, first + min(most, count - start))
            yield decoders[set_index].decode([part[rows] for part in latents[set_index]])
            rendered[set_index] = rows.stop


def _runs(content: Content) -> Iterator[tuple[int, int]]:
    """Yield (set of networks, images of classes in a row that use it)."""
    classes = zip(content.class_sets.tolist(), content.class_counts.tolist(), strict=True)
    for set_index, members in groupby(classes, key=lambda pair: pair[0]):
        count = sum(images for _, images in members)
        if count:
            yield set_index, count


def _check_crc(crc: int, container: Container) -> None:
    if crc != container.content_crc:
        raise FormatError("The decoded content does not match its checksum; the file is damaged.")

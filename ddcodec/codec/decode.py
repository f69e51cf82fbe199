"""From the bytes of a file to symbols, labels and pixels, all verified."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.labeler import ExactLabeler
from ddcodec.codec.labels import labels_of
from ddcodec.codec.stream import Content, Sections, synthesis_of, walk
from ddcodec.entropy.range_coder import RangeDecoder
from ddcodec.errors import FormatError
from ddcodec.format.container import Container, unpack_container
from ddcodec.format.header import LABELER_PROBES, Header
from ddcodec.format.limits import DecodeLimits


@dataclass(frozen=True)
class DecodedFile:
    """A verified file.

    Attributes:
        container: header, payload and sizes.
        content: symbols and weights.
        labels: N, int64, sorted by class.
        images: N × C × H × W, uint8.
        section_bits: information content of each part of the payload, in bits.
    """

    container: Container
    content: Content
    labels: NDArray[np.int64]
    images: NDArray[np.uint8]
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


def decode_bytes(data: bytes, limits: DecodeLimits | None = None) -> DecodedFile:
    """Decode a whole file and check both checksums.

    Raises:
        FormatError: if the bytes are not a valid file within the limits.
    """
    container = unpack_container(data, limits)
    coder = RangeDecoder(container.payload)
    sections = Sections()
    content = walk(coder, container.header, None, sections)
    coder.finish()
    labels = labels_of(content.class_counts)
    images = render_exact(container.header, content)
    if content_checksum(container.header, content, images) != container.content_crc:
        raise FormatError("The decoded content does not match its checksum; the file is damaged.")
    return DecodedFile(container, content, labels, images, sections.bits)


def render_exact(header: Header, content: Content) -> NDArray[np.uint8]:
    """Return all images, N × C × H × W uint8, sorted by class."""
    synthesis = synthesis_of(header)
    shape = (header.num_images, header.channels, header.height, header.width)
    images = np.empty(shape, dtype=np.uint8)
    image_sets = np.repeat(content.class_sets, content.class_counts)
    set_sizes = np.bincount(image_sets, minlength=header.num_sets)
    members = np.split(np.argsort(image_sets, kind="stable"), np.cumsum(set_sizes)[:-1])
    for tensors, latents, indices in zip(content.networks, content.latents, members, strict=True):
        if len(indices):
            images[indices] = synthesis.exact(tensors).decode(latents)
    return images


def symbol_bytes(content: Content) -> bytes:
    """Return all latents as little-endian int16: per set, coarse level first, image by image."""
    return b"".join(
        np.ascontiguousarray(level, dtype="<i2").tobytes()
        for latents in content.latents
        for level in reversed(latents)
    )


def label_bytes(labels: NDArray[np.int64]) -> bytes:
    """Return all labels as little-endian uint16."""
    return labels.astype("<u2").tobytes()


def soft_label_bytes(header: Header, content: Content, images: NDArray[np.uint8]) -> bytes:
    """Return what soft labels or a labeler say, for the checksum; nothing for hard labels.

    Soft labels are the logits of all images as little-endian int16; a labeler is asked about a few
    of the images, int32 in 1/4096.

    Raises:
        FormatError: if the labeler cannot be proven exact.
    """
    if content.soft_labels is not None:
        return content.soft_labels.logits.astype("<i2").tobytes()
    if header.labeler is None or content.labeler is None:
        return b""
    probes = min(LABELER_PROBES, len(images))
    rows = np.arange(probes) * len(images) // probes
    return (
        ExactLabeler(header.labeler, content.labeler).logits(images[rows]).astype("<i4").tobytes()
    )


def content_checksum(header: Header, content: Content, images: NDArray[np.uint8]) -> int:
    """Return the CRC-32 of symbols, classes, pixels and further labels, one after another.

    Raises:
        FormatError: if the labeler cannot be proven exact.
    """
    crc = zlib.crc32(symbol_bytes(content))
    crc = zlib.crc32(label_bytes(labels_of(content.class_counts)), crc)
    crc = zlib.crc32(np.ascontiguousarray(images).tobytes(), crc)
    return zlib.crc32(soft_label_bytes(header, content, images), crc)

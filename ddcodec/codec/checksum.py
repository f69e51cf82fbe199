"""The content checksum: what it covers, in order (docs/format.md, section 11)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.labels.class_counts import labels_of
from ddcodec.codec.labels.labeler import ExactLabeler
from ddcodec.codec.stream import Content
from ddcodec.format.header import LABELER_PROBES, Header


class ContentChecksum:
    """CRC-32 of symbols, classes, pixels and further labels, pixels coming in parts.

    Args:
        header: of the file.
        content: of the file.
    """

    def __init__(self, header: Header, content: Content) -> None:
        self._header, self._content = header, content
        crc = 0
        for part in symbol_parts(content):
            crc = zlib.crc32(part.data, crc)
        self._crc = zlib.crc32(label_bytes(labels_of(content.class_counts)), crc)
        self._seen = 0
        self._probes: list[NDArray[np.uint8]] = []

    def see(self, images: NDArray[np.uint8]) -> None:
        """Take in the next images, n × C × H × W."""
        self._crc = zlib.crc32(np.ascontiguousarray(images).data, self._crc)
        if self._header.labeler is not None:
            rows = probe_rows(self._header.num_images) - self._seen
            self._probes.append(images[rows[(rows >= 0) & (rows < len(images))]])
        self._seen += len(images)

    def value(self) -> int:
        """Return the checksum, all images having been seen.

        Raises:
            FormatError: if the labeler cannot be proven exact.
        """
        probes = np.concatenate(self._probes) if self._probes else np.empty(0, np.uint8)
        return zlib.crc32(_further_labels(self._header, self._content, probes), self._crc)


def soft_label_bytes(header: Header, content: Content, images: NDArray[np.uint8]) -> bytes:
    """Return what soft labels or a labeler say, for the checksum; nothing for hard labels.

    Soft labels are the logits of all images as little-endian int16; a labeler is asked about a few
    of the images, int32 in 1/4096.

    Raises:
        FormatError: if the labeler cannot be proven exact.
    """
    return _further_labels(header, content, images[probe_rows(len(images))])


def _further_labels(header: Header, content: Content, probes: NDArray[np.uint8]) -> bytes:
    if content.soft_labels is not None:
        return content.soft_labels.logits.astype("<i2").tobytes()
    if header.labeler is None or content.labeler is None:
        return b""
    return ExactLabeler(header.labeler, content.labeler).logits(probes).astype("<i4").tobytes()


def probe_rows(num_images: int) -> NDArray[np.int64]:
    """Return the images that the labeler is asked about."""
    probes = min(LABELER_PROBES, num_images)
    return np.arange(probes, dtype=np.int64) * num_images // probes


def content_checksum(header: Header, content: Content, images: NDArray[np.uint8]) -> int:
    """Return the checksum of a whole file.

    Raises:
        FormatError: if the labeler cannot be proven exact.
    """
    checksum = ContentChecksum(header, content)
    checksum.see(images)
    return checksum.value()


def symbol_bytes(content: Content) -> bytes:
    """Return all latents as little-endian int16: per set, coarse level first, image by image."""
    return b"".join(part.tobytes() for part in symbol_parts(content))


def symbol_parts(content: Content) -> Iterator[NDArray[np.int16]]:
    """Yield the latents of each plane of each set, little-endian int16; see `symbol_bytes`."""
    for latents in content.latents:
        for level in reversed(latents):
            yield np.ascontiguousarray(level, dtype="<i2").reshape(-1)


def label_bytes(labels: NDArray[np.int64]) -> bytes:
    """Return all labels as little-endian uint16."""
    return labels.astype("<u2").tobytes()

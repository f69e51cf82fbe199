"""From symbols and weights to the bytes of a file that has already been decoded once."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddcodec.codec.checksum import content_checksum
from ddcodec.codec.decode import DecodedFile, decode_bytes, render_exact
from ddcodec.codec.labels.soft_labels import SoftLabels
from ddcodec.codec.stream import Content, Sections, walk
from ddcodec.entropy.range_coder import RangeEncoder
from ddcodec.errors import DdcError, OutputError
from ddcodec.format.claims import options_to_read
from ddcodec.format.container import pack_container
from ddcodec.format.header import Header
from ddcodec.format.limits import UNBOUNDED


@dataclass(frozen=True)
class EncodedFile:
    """A finished file.

    Attributes:
        data: its bytes.
        section_bits: information content of each part of the payload, in bits.
        options_to_read: without which `ddc` does not decode it, where it takes more time or memory
            than a file of its size may by default.
    """

    data: bytes
    section_bits: dict[str, float]
    options_to_read: str = ""


def encode_payload(header: Header, content: Content) -> tuple[bytes, dict[str, float]]:
    """Return the payload and the bits of its parts, without rendering any image."""
    coder = RangeEncoder()
    sections = Sections()
    walk(coder, header, content, sections)
    return coder.payload(), sections.bits


def encoded_size_bytes(header: Header, content: Content) -> int:
    """Return the size in bytes of the file this content makes, by really coding it."""
    payload, _ = encode_payload(header, content)
    return len(pack_container(header, payload, 0))


def encode_content(header: Header, content: Content) -> EncodedFile:
    """Return the file and check that it decodes to the same symbols, labels and pixels.

    Raises:
        DdcError: if the file does not decode to what was encoded.
    """
    payload, section_bits = encode_payload(header, content)
    images = render_exact(header, content)
    data = pack_container(header, payload, content_checksum(header, content, images))
    decoded = decode_bytes(data, UNBOUNDED)
    if not _same(decoded, content) or not np.array_equal(decoded.images, images):
        raise DdcError("The encoder's own check failed: the file decodes to something else.")
    return EncodedFile(data, section_bits, options_to_read(header, len(data)))


def _same(decoded: DecodedFile, content: Content) -> bool:
    read = decoded.content
    latents = zip(read.latents, content.latents, strict=True)
    tensors = [*zip(read.networks, content.networks, strict=True)]
    if read.labeler is not None and content.labeler is not None:
        tensors.append((read.labeler, content.labeler))
    return (
        read.class_names == content.class_names
        and np.array_equal(read.class_counts, content.class_counts)
        and np.array_equal(read.class_sets, content.class_sets)
        and _same_soft(read.soft_labels, content.soft_labels)
        and all(np.array_equal(a, b) for pair in latents for a, b in zip(*pair, strict=True))
        and all(
            a[name].step_exponent == b[name].step_exponent
            and np.array_equal(a[name].integers, b[name].integers)
            for a, b in tensors
            for name in b
        )
    )


def _same_soft(read: SoftLabels | None, written: SoftLabels | None) -> bool:
    if read is None or written is None:
        return read is written
    return read.step_exponent == written.step_exponent and all(
        np.array_equal(getattr(read, part), getattr(written, part))
        for part in ("logits", "loc", "scale")
    )


def write_atomically(data: bytes, path: Path) -> None:
    """Write a file completely or not at all.

    Raises:
        OutputError: if the folder cannot be written.
    """
    with atomic_file(path) as partial:
        partial.write_bytes(data)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Hand out a file that takes the place of `path` once it is complete.

    Raises:
        OutputError: if the folder cannot be written, or there was an OSError in between.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OutputError(f"Cannot write to '{path.parent}': {error.strerror}.") from error
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        # A private temporary file becomes an ordinary one.
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)
        partial.replace(path)
    except BaseException as error:
        # An interrupt, too, must not leave half a file behind.
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"Cannot write '{path}': {error.strerror or error}.") from error
        raise

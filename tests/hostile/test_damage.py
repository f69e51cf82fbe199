"""Damaged files: every truncation, every flipped bit ends in `FormatError` or decodes safely."""

import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddcodec.codec.checksum import soft_label_bytes
from ddcodec.codec.decode import decode_bytes
from ddcodec.errors import FormatError
from ddcodec.format.limits import DecodeLimits

_MODEST = DecodeLimits(max_file_bytes=4096, max_bytes=6 << 20, max_seconds=0.1)
_BIT_FLIP_MEMORY_BYTES = 8 << 20


@pytest.fixture(scope="module")
def small_file() -> bytes:
    """The smallest golden file."""
    return (Path(__file__).parents[1] / "golden" / "grey.ddc").read_bytes()


def _reseal(body: bytes) -> bytes:
    """Append the checksum that makes a damaged file look whole."""
    return body + struct.pack("<I", zlib.crc32(body))


def _single_bit_flips(data: bytes) -> Iterator[bytes]:
    for index in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[index] ^= 1 << bit
            yield bytes(damaged)


def test_every_truncation_is_refused(small_file: bytes) -> None:
    """No proper beginning of a file decodes."""
    for length in range(len(small_file)):
        with pytest.raises(FormatError):
            decode_bytes(small_file[:length])


def test_every_resealed_truncation_is_refused(small_file: bytes) -> None:
    """A shortened file with a fresh outer checksum does not decode either."""
    for length in range(len(small_file) - 4):
        with pytest.raises(FormatError):
            decode_bytes(_reseal(small_file[:length]), _MODEST)


def test_every_bit_flip_is_refused(small_file: bytes) -> None:
    """The outer checksum finds any single flipped bit."""
    for damaged in _single_bit_flips(small_file):
        with pytest.raises(FormatError):
            decode_bytes(damaged)


@pytest.mark.long
def test_every_resealed_bit_flip_is_harmless(small_file: bytes) -> None:
    """With a fresh outer checksum a flip is refused or decodes completely, in modest memory."""
    original = decode_bytes(small_file)
    num_decoded = 0
    tracemalloc.start()
    try:
        for damaged in _single_bit_flips(small_file[:-4]):
            try:
                decoded = decode_bytes(_reseal(damaged), _MODEST)
            except FormatError:
                continue
            # Only facts that no symbol, label or pixel depends on may differ unnoticed.
            num_decoded += 1
            assert decoded.images.tobytes() == original.images.tobytes()
            assert decoded.labels.tolist() == original.labels.tolist()
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert num_decoded == 13  # of the normalisation, which no checksum but the outer covers
    assert peak_bytes < _BIT_FLIP_MEMORY_BYTES


@pytest.mark.parametrize("name", ["soft", "labeler"])
def test_resealed_bit_flips_of_labels_are_harmless(name: str) -> None:
    """A flip in a file of soft labels or with a labeler is refused or changes no label."""
    data = (Path(__file__).parents[1] / "golden" / f"{name}.ddc").read_bytes()
    original = decode_bytes(data)
    labels = soft_label_bytes(original.header, original.content, original.images)
    limits = DecodeLimits(max_file_bytes=4096, max_bytes=12 << 20, max_seconds=0.5)
    flips = list(_single_bit_flips(data[:-4]))
    # Much of the header, and some of the payload.
    tried = [*flips[: 8 * 64 : 5], *flips[8 * 64 :: 211]]
    num_refused = 0
    for damaged in tried:
        try:
            decoded = decode_bytes(_reseal(damaged), limits)
        except FormatError:
            num_refused += 1
            continue
        assert decoded.images.tobytes() == original.images.tobytes()
        assert soft_label_bytes(decoded.header, decoded.content, decoded.images) == labels
    assert num_refused > 0.9 * len(tried)


def test_payload_may_not_be_extended(small_file: bytes) -> None:
    """Two further words after the last symbol are refused, zero or not."""
    for words in (b"\0" * 8, b"\xff" * 8, b"\0\0\0\0\x01\0\0\0", b"\x01" * 400):
        longer = small_file[:-8] + words + small_file[-8:-4]
        with pytest.raises(FormatError, match="longer than its symbols"):
            decode_bytes(_reseal(longer), _MODEST)


def test_one_spare_word_changes_nothing(small_file: bytes) -> None:
    """The word after the last may be present, as docs/format.md says; the content is the same."""
    longer = small_file[:-8] + b"\0\0\0\0" + small_file[-8:-4]
    decoded, original = decode_bytes(_reseal(longer)), decode_bytes(small_file)
    assert decoded.images.tobytes() == original.images.tobytes()


def test_payload_may_not_be_shortened(small_file: bytes) -> None:
    """A file that lost its last words is refused, also without any word at all."""
    start = 25
    for end in range(start, len(small_file) - 8, 4):
        shorter = small_file[:end] + small_file[-8:-4]
        with pytest.raises(FormatError):
            decode_bytes(_reseal(shorter), _MODEST)
    assert (len(small_file) - 8 - start) % 4 == 0


@pytest.mark.parametrize("spare", [b"\0", b"\0\0", b"\0\0\0"])
def test_payload_must_be_whole_words(small_file: bytes, spare: bytes) -> None:
    """A payload that is not a multiple of four bytes is refused."""
    with pytest.raises(FormatError, match="whole 32-bit words"):
        decode_bytes(_reseal(small_file[:-8] + spare + small_file[-8:-4]))


def test_content_checksum_is_compared(small_file: bytes) -> None:
    """A wrong checksum of the decoded content is refused."""
    body = small_file[:-8] + struct.pack("<I", decode_bytes(small_file).container.content_crc ^ 1)
    with pytest.raises(FormatError, match="does not match its checksum"):
        decode_bytes(_reseal(body))

"""The outermost layer of a file: magic, version, header, payload, two checksums."""

import struct
import zlib
from dataclasses import dataclass

from ddcodec.errors import FormatError
from ddcodec.format.claims import check_claim
from ddcodec.format.header import Header
from ddcodec.format.header_bytes import parse_header, serialize_header
from ddcodec.format.limits import MAX_HEADER_BYTES, DecodeLimits
from ddcodec.format.varint import VarintReader, encode_varint

MAGIC = b"\x89DDC"
VERSION = 1
FLAG_CLASS_NAMES = 1
WORD_BYTES = 4
CHECKSUM_BYTES = 8
_PREFIX_BYTES = len(MAGIC) + 2
_SMALLEST_FILE_BYTES = _PREFIX_BYTES + 1 + CHECKSUM_BYTES


@dataclass(frozen=True)
class Container:
    """A file taken apart.

    Attributes:
        header: the parsed and bounded header.
        payload: range-coder words, little-endian, a multiple of 4 bytes.
        content_crc: CRC-32 of the decoded symbols, labels and pixels.
        header_bytes: everything before the payload, in bytes.
    """

    header: Header
    payload: bytes
    content_crc: int
    header_bytes: int

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return self.header_bytes + len(self.payload) + CHECKSUM_BYTES


def pack_container(header: Header, payload: bytes, content_crc: int) -> bytes:
    """Return the bytes of a complete file."""
    if len(payload) % WORD_BYTES:
        raise ValueError("the payload must be whole 32-bit words")
    fields = serialize_header(header)
    flags = FLAG_CLASS_NAMES if header.has_class_names else 0
    body = MAGIC + bytes([VERSION, flags]) + encode_varint(len(fields)) + fields + payload
    body += struct.pack("<I", content_crc)
    return body + struct.pack("<I", zlib.crc32(body))


def unpack_container(data: bytes, limits: DecodeLimits | None = None) -> Container:
    """Take a file apart and bound what it asks for.

    Raises:
        FormatError: if the bytes are foreign, damaged, newer, or ask for more than `limits` allow.
    """
    limits = limits or DecodeLimits()
    _check_envelope(data, limits)
    reader = VarintReader(data[_PREFIX_BYTES : _PREFIX_BYTES + 9])
    num_field_bytes = reader.read()
    if num_field_bytes > MAX_HEADER_BYTES:
        raise FormatError(f"The header claims {num_field_bytes} bytes; at most 4096 are allowed.")
    start = _PREFIX_BYTES + reader.position
    end = start + num_field_bytes
    if end + CHECKSUM_BYTES > len(data):
        raise FormatError("The header is longer than the file; the file is truncated.")
    header = parse_header(data[start:end], has_class_names=bool(data[5] & FLAG_CLASS_NAMES))
    payload = data[end:-CHECKSUM_BYTES]
    if len(payload) % WORD_BYTES:
        raise FormatError("The payload is not whole 32-bit words; the file is damaged.")
    check_claim(header, len(data), limits)
    content_crc = struct.unpack("<I", data[-8:-4])[0]
    return Container(header, payload, content_crc, header_bytes=end)


def _check_envelope(data: bytes, limits: DecodeLimits) -> None:
    if not data.startswith(MAGIC[: len(data)]) or not data:
        raise FormatError("This is not a .ddc file (its first bytes are foreign).")
    if len(data) < _SMALLEST_FILE_BYTES:
        raise FormatError("The file is truncated: it is shorter than any .ddc file.")
    if len(data) > limits.max_file_bytes:
        raise FormatError(
            f"The file has {len(data)} bytes, over the limit of {limits.max_file_bytes}; "
            "raise the limit if you trust it."
        )
    version, flags = data[4], data[5]
    if version != VERSION:
        raise FormatError(
            f"The file is written in version {version} of the format, this release reads version "
            f"{VERSION}; install a newer ddcodec."
        )
    if zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
        raise FormatError("The file is damaged or truncated: its checksum does not match.")
    if flags & ~FLAG_CLASS_NAMES:
        raise FormatError("The file uses features this release does not know; install a newer one.")

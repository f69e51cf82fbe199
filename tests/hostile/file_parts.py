"""A file taken apart into numbers that can be changed, and put together so that it looks whole."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from ddcodec.errors import FormatError
from ddcodec.format.varint import VarintReader, encode_varint

MAGIC = b"\x89DDC"
VERSION = 1

SCALARS = (
    "num_classes",
    "num_images",
    "height",
    "width",
    "channels",
    "num_levels",
    "num_sets",
    "context_id",
    "context_width",
    "context_depth",
    "synthesis_id",
    "label_mode",
)
"""The fields of docs/format.md, section 3, that are one number; lists follow them."""

MOST_NUMBERS = 4096
"""More numbers than any header holds."""

Fields = dict[str, list[int]]


@dataclass(frozen=True)
class FileParts:
    """What a file says, right or wrong.

    Attributes:
        flags: the byte after the version.
        fields: numbers of the header by name, in the order of the file; lists with their count.
        payload: words of the range coder.
        content_crc: of the decoded content.
    """

    flags: int
    fields: Fields
    payload: bytes
    content_crc: int

    def to_bytes(self) -> bytes:
        """Return the file with an outer checksum that fits."""
        numbers = [number for field in self.fields.values() for number in field]
        header = b"".join(encode_varint(number % (1 << 63)) for number in numbers)
        body = MAGIC + bytes([VERSION, self.flags & 255]) + encode_varint(len(header)) + header
        return sealed(body + self.payload + struct.pack("<I", self.content_crc))


def sealed(body: bytes) -> bytes:
    """Append the outer checksum that makes any bytes look whole."""
    return body + struct.pack("<I", zlib.crc32(body))


def take_apart(data: bytes) -> FileParts | None:
    """Return the parts of a file, or None where they cannot be told apart."""
    if len(data) < 15 or not data.startswith(MAGIC):
        return None
    try:
        reader = VarintReader(data[6:15])
        start = 6 + reader.read()
        start += reader.position
        first = 6 + reader.position
        fields = _read_fields(VarintReader(data[first:start]).read)
    except FormatError:
        return None
    payload = data[start:-8]
    whole = payload[: len(payload) // 4 * 4]
    return FileParts(data[5], fields, whole, struct.unpack("<I", data[-8:-4])[0])


def _read_fields(read: Callable[[], int]) -> Fields:
    fields = {name: [read()] for name in SCALARS}
    fields["synthesis_widths"] = _counted(read, 1)
    channels = min(fields["channels"][0], MOST_NUMBERS)
    fields["mean"] = [read() for _ in range(channels)]
    fields["std"] = [read() for _ in range(channels)]
    fields["hints"] = _counted(read, 2)
    fields["labeler_layers"] = _counted(read, 4) if fields["label_mode"] == [2] else []
    return fields


def _counted(read: Callable[[], int], numbers_each: int) -> list[int]:
    count = read()
    return [count, *(read() for _ in range(min(count, MOST_NUMBERS) * numbers_each))]

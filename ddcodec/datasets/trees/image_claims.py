"""What stands beside the pixels of an image file, and what tiles it claims, before Pillow reads it.

Pillow before 13 reads every field of a TIFF directory, and of EXIF, which is one, whether or not
all of them lie in the same place of the file; five thousand of them make 300 MB of 64 kB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

from PIL import Image

from ddcodec.errors import DataError

FREE_BYTES = 2**16
MAX_TILES = 2**12
MAX_COMMENT_BYTES = 2**20

_EXIF = b"Exif\0\0"
_RAW_EXIF = "Raw profile type exif"
_SIZ = b"\xff\x4f\xff\x51"
# Bytes of a value by its type (TIFF 6.0, section 2, and BigTIFF).
_UNITS = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8,
    17: 8, 18: 8,
}  # fmt: skip


def check_file(data: bytes, path: str) -> None:
    """Raise DataError for a file whose parts claim far more than it holds; nothing is decoded."""
    if data[:2] in (b"II", b"MM"):
        _check_directory(data, path)
    elif data[:2] == b"\xff\xd8":
        for content in _segments(data, 0xE2):
            if content.startswith(b"MPF\0"):
                _check_directory(content[4:], path)
        # Several segments are one directory, and in older files the first of them is.
        exif = [part[6:] for part in _segments(data, 0xE1) if part.startswith(_EXIF)]
        for found in (*exif[:1], b"".join(exif)):
            _check_directory(found, path)
    elif data[:3] == b"GIF":
        if _comment_bytes(data) > MAX_COMMENT_BYTES:
            raise _overdone(path)
    elif (place := data.find(_SIZ, 0, 2**16)) >= 0 and _tiles(data, place + 6) > MAX_TILES:
        raise _overdone(path)


def check_exif(image: Image.Image, path: str) -> None:
    """Raise DataError likewise for the EXIF of an image, as far as it has been read."""
    held = image.info.get("exif")
    if isinstance(held, bytes):
        _check_directory(held.removeprefix(_EXIF), path)
    text = image.info.get(_RAW_EXIF)
    if isinstance(text, str):
        with suppress(ValueError):
            _check_directory(bytes.fromhex("".join(text.split("\n")[3:])).removeprefix(_EXIF), path)


def _check_directory(data: bytes, path: str) -> None:
    if _field_bytes(data) > 2 * len(data) + FREE_BYTES:
        raise _overdone(path)


def _overdone(path: str) -> DataError:
    return DataError(
        f"'{path}' claims far more fields, comments or tiles than an image has; save it again "
        "without its metadata."
    )


def _field_bytes(data: bytes) -> int:
    """Return how many bytes the values of the first directory have that lie in the file."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"\x2b\0", b"\0\x2b")
    count_as, entry_as, start_at = ("Q", "HHQQ", 8) if is_big else ("H", "HHII", 4)
    try:
        (place,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, start_at)
        (count,) = struct.unpack_from(order + count_as, data, place)
    except (struct.error, OverflowError):
        return 0
    place += struct.calcsize(order + count_as)
    size = struct.calcsize(order + entry_as)
    count = min(count, max(0, len(data) - place) // size)
    total = 0
    for _, kind, number, value in struct.iter_unpack(
        order + entry_as, data[place : place + count * size]
    ):
        length = _UNITS.get(kind, 0) * number
        if value + length <= len(data):
            total += length
    return total


def _segments(data: bytes, wanted: int) -> Iterator[bytes]:
    """Yield the contents of the segments of a kind that stand before the pixels of a JPEG."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place + 1] == wanted:
            yield data[place + 4 : place + 2 + length]
        place += 2 + max(2, length)


def _comment_bytes(data: bytes) -> int:
    """Return how long the comments of a GIF are, up to its second frame."""
    place = 13 + (3 * 2 ** ((data[10] & 7) + 1) if len(data) > 10 and data[10] & 0x80 else 0)
    total = frames = 0
    while place + 10 < len(data) and frames < 2:
        is_comment = data[place : place + 2] == b"\x21\xfe"
        if data[place] == 0x21:
            place += 2
        elif data[place] == 0x2C:
            frames += 1
            flags = data[place + 9]
            place += 11 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
        else:
            place += 1
            continue
        while place < len(data) and data[place]:
            total += data[place] if is_comment else 0
            place += 1 + data[place]
        place += 1
    return total


def _tiles(data: bytes, place: int) -> int:
    """Return how many tiles a JPEG 2000 codestream claims."""
    if len(data) < place + 34:
        return 0
    width, height, _, _, tile_width, tile_height, left, top = (
        int.from_bytes(data[start : start + 4], "big") for start in range(place + 2, place + 34, 4)
    )
    if not tile_width or not tile_height:
        return 0
    return -((left - width) // tile_width) * -((top - height) // tile_height)

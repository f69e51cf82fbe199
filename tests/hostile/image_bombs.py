"""Image files that claim more than they hold, of a megabyte or so each."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from array_bombs import MIB
from image_trees import encode
from PIL import Image

_PLAIN = Image.new("RGB", (16, 8), (200, 100, 50))


def fields(count: int, length: int) -> bytes:
    """Return a directory of TIFF fields, each of which claims the whole file for its value."""
    entries = b"".join(
        struct.pack("<HHII", 40_000 + number % 25_000, 7, length - 8, 8) for number in range(count)
    )
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", count) + entries + bytes(4)
    return head.ljust(length, b"\0")


def tiff(length: int = MIB, count: int = 3000) -> bytes:
    """A TIFF of 1 MB with three thousand values of 1 MB."""
    data = bytearray(fields(count, length))
    own = ((256, 3, 1, 16), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1))
    own += ((273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 128))
    for number, (tag, kind, size, value) in enumerate(own):
        data[10 + 12 * number : 22 + 12 * number] = struct.pack("<HHII", tag, kind, size, value)
    return bytes(data)


def _after_jfif(segments: bytes) -> bytes:
    data = encode(_PLAIN, "JPEG")
    return data[:20] + segments + data[20:]


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 255, marker, len(content) + 2) + content


def exif_jpeg() -> bytes:
    """A JPEG of 64 kB with five thousand values of 64 kB."""
    return _after_jfif(_segment(0xE1, b"Exif\0\0" + fields(5000, 65_000)))


def long_exif_jpeg() -> bytes:
    """The same over several segments, which are one."""
    data = fields(20_000, 400_000)
    pieces = [data[start : start + 65_000] for start in range(0, len(data), 65_000)]
    return _after_jfif(b"".join(_segment(0xE1, b"Exif\0\0" + piece) for piece in pieces))


def mpf_jpeg() -> bytes:
    """A JPEG of 64 kB with an index of pictures that claims as much."""
    return _after_jfif(_segment(0xE2, b"MPF\0" + fields(5000, 65_000)))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(*chunks: bytes) -> bytes:
    data = encode(_PLAIN)
    return data[:33] + b"".join(chunks) + data[33:]


def exif_png() -> bytes:
    """A PNG of 1 MB with three thousand values of 1 MB."""
    return _png(_chunk(b"eXIf", fields(3000, MIB)))


def raw_exif_png() -> bytes:
    """The same as hexadecimal text, packed to 20 kB."""
    text = b"\nexif\n 400000\n" + fields(20_000, 400_000).hex().encode()
    return _png(_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)))


def text_png() -> bytes:
    """Sixty texts of 1 MB and a colour profile of 1 GB, in 1 MB."""
    text = b"key\0\0" + zlib.compress(bytes(MIB - 100))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    profile = _chunk(b"iCCP", b"x\0\0" + b"\x78\xda" + block * 1000)
    return _png(profile, *(_chunk(b"zTXt", text) for _ in range(63)))


def comment_gif(length: int = 15 * MIB) -> bytes:
    """A GIF of comments."""
    data = encode(_PLAIN.convert("P"), "GIF")
    place = data.index(b"\x2c", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    comment = b"\x21\xfe" + (b"\xff" + b"x" * 255) * (length // 256) + b"\0"
    return data[:place] + comment + data[place:]


def tiles_jp2() -> bytes:
    """A JPEG 2000 codestream that claims 65,025 tiles of four pixels."""
    side, tile = 510, 2
    size = struct.pack(">HIIIIIIIIH", 0, side, side, 0, 0, tile, tile, 0, 0, 3) + b"\x07\1\1" * 3
    coding = b"\xff\x52" + struct.pack(">H", 12) + bytes((0, 0, 0, 1, 0, 1, 4, 4, 0, 1))
    steps = b"\xff\x5c" + struct.pack(">H", 7) + b"\x40\x40\x48\x48\x50"
    part = b"\xff\x90" + struct.pack(">HHIBB", 10, 0, 14, 0, 1) + b"\xff\x93"
    siz = b"\xff\x51" + struct.pack(">H", len(size) + 2) + size
    return b"\xff\x4f" + siz + coding + steps + part + b"\xff\xd9"


def deep_png(side: int = 8000) -> bytes:
    """Sixty-four million pixels of 16 bits, in 200 kB."""
    packer = zlib.compressobj(9)
    head = struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0)
    row = bytes(1 + 2 * side)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def frames_tiff(count: int = 200_000) -> bytes:
    """A TIFF of two hundred thousand empty pages."""
    data = bytearray(encode(Image.new("L", (16, 8)), "TIFF"))
    first = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * entries, len(data))
    start = len(data)
    for number in range(count):
        data += struct.pack("<HI", 0, start + 6 * (number + 1))
    return bytes(data)


def frames_gif(count: int = 20_000) -> bytes:
    """A GIF of many frames."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 16, 8, 0) + b"\x02\x02\x44\x01\0"
    data = encode(_PLAIN.convert("P"), "GIF")
    return data[:-1] + frame * count + b";"


def sound() -> dict[str, bytes]:
    """Return images as cameras and programs write them, with all that stands beside pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A camera"
    exif[0x9286] = b"a comment" * 3000
    profile = np.random.default_rng(0).bytes(3000)
    stream = io.BytesIO()
    frames = [_PLAIN.convert("P"), _PLAIN.convert("P").rotate(180)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], comment=b"x" * 5000)
    return {
        "exif.jpg": encode(_PLAIN, "JPEG", exif=exif, icc_profile=profile, comment="x" * 5000),
        "exif.png": encode(_PLAIN, exif=exif, icc_profile=profile),
        "exif.webp": encode(_PLAIN, "WEBP", exif=exif),
        "exif.tif": encode(_PLAIN, "TIFF", exif=exif, compression="tiff_lzw"),
        "animated.gif": stream.getvalue(),
    }

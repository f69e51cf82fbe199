"""Image files that claim more than they hold, beside their pixels or in them."""

import re
from collections.abc import Callable

import image_bombs as bombs
import pytest
from array_bombs import MIB
from bounded import needs_linux, outcome

from ddcodec.datasets.trees.image import decode_image, read_header
from ddcodec.datasets.trees.image_claims import check_file
from ddcodec.datasets.trees.resize import ImageSize

pytestmark = needs_linux
SIZE = ImageSize(32, 32)
OVERDONE = "claims far more fields, comments or tiles than an image has; save it again without"
READABLE = "^$"


@pytest.mark.parametrize(
    ("name", "craft", "message", "most_mib"),
    [
        ("x.tif", bombs.tiff, OVERDONE, 16),
        ("x.jpg", bombs.exif_jpeg, OVERDONE, 16),
        ("long.jpg", bombs.long_exif_jpeg, OVERDONE, 16),
        ("mpf.jpg", bombs.mpf_jpeg, OVERDONE, 16),
        ("x.png", bombs.exif_png, OVERDONE, 16),
        ("raw.png", bombs.raw_exif_png, OVERDONE, 16),
        ("text.png", bombs.text_png, "is not a readable image", 32),
        ("x.gif", bombs.comment_gif, OVERDONE, 32),
        ("x.j2k", bombs.tiles_jp2, OVERDONE, 16),
        ("frames.tif", bombs.frames_tiff, READABLE, 16),
        ("frames.gif", bombs.frames_gif, READABLE, 16),
    ],
)
def test_claims(name: str, craft: Callable[[], bytes], message: str, most_mib: int) -> None:
    """One sentence or the first picture, by either reader, in the memory of the file."""
    data = craft()
    for read in (
        lambda: read_header(data, name, SIZE),
        lambda: decode_image(data, name, 3, SIZE),
    ):
        found = outcome(read, limit_seconds=20)
        assert not found.fault
        assert re.search(message, found.message), found.message
        assert found.peak_bytes < most_mib * MIB


def test_large_images_of_16_bits() -> None:
    """The largest image that may be read takes no wide copies of its pixels."""
    data = bombs.deep_png()
    found = outcome(lambda: decode_image(data, "x.png", 1, SIZE))
    assert not found.fault and not found.message
    # 64 million pixels of two bytes, upright once more, and of one byte.
    assert found.peak_bytes < 700 * MIB


@pytest.mark.parametrize("name", bombs.sound())
def test_sound_images_pass(name: str) -> None:
    """Comments, profiles, EXIF and frames of a usual size are no reason to refuse an image."""
    data = bombs.sound()[name]
    header = read_header(data, name, SIZE)
    # EXIF says that the image lies on its side.
    upright = (8, 16) if name == "animated.gif" else (16, 8)
    assert (header.height, header.width) == upright
    assert decode_image(data, name, 3, SIZE).shape == (3, 32, 32)


@pytest.mark.parametrize(
    "data",
    [b"", b"II", b"II*\0", b"MM\0*\xff\xff\xff\xff", b"II+\0" + b"\xff" * 12, b"\xff\xd8\xff\xe2",
     b"\xff\xd8\xff\xe2\0\0MPF\0", b"GIF", b"GIF89a" + b"\xff" * 8, b"GIF89a" + b"\x21\xfe" * 99,
     b"\xff\x4f\xff\x51", b"\xff\x4f\xff\x51" + bytes(40), b"\xff\xd8" + b"\xff\xe1\0\x08Exif\0\0"],
)  # fmt: skip
def test_what_is_cut_is_left_to_the_reader(data: bytes) -> None:
    """Damaged beginnings are passed on."""
    check_file(data, "x")
    check_file(data * 3, "x")

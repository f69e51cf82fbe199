"""One image file to pixels: every conversion and every way to fail."""

import io
import zlib

import numpy as np
import pytest
from image_trees import encode, flat
from PIL import Image

from ddcodec.datasets.trees.image import MAX_FILE_BYTES, decode_image, read_header
from ddcodec.errors import DataError


def decode(data: bytes, channels: int = 3) -> np.ndarray:
    """Decode under a fixed name."""
    return decode_image(data, "cat/1.png", channels)


def colour_at(data: bytes, row: int = 0, column: int = 0) -> list[int]:
    """Return the decoded RGB of one pixel."""
    return decode(data)[:, row, column].tolist()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "GIF"])
def test_lossless_kinds(kind: str) -> None:
    """Lossless files come back exactly, channel first."""
    pixels = np.zeros((4, 6, 3), dtype=np.uint8)
    pixels[1, 2] = (10, 20, 30)
    data = encode(Image.fromarray(pixels), kind)
    assert np.array_equal(decode(data), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_kinds(kind: str) -> None:
    """Lossy files come back nearly."""
    decoded = decode(encode(Image.new("RGB", (8, 8), (10, 120, 230)), kind))
    assert np.abs(decoded[:, 4, 4].astype(int) - (10, 120, 230)).max() <= 4


def test_grey_stays_grey() -> None:
    """Grey files decode to one channel."""
    assert decode(flat(77, "L"), channels=1).tolist() == [[[77] * 6] * 4]


def test_grey_among_colour() -> None:
    """Where other images are RGB a grey one gets three equal channels."""
    assert colour_at(flat(77, "L")) == [77, 77, 77]


def test_bilevel() -> None:
    """One-bit images become 0 and 255."""
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    assert decode(encode(image), channels=1).tolist() == [[[0, 255]]]


def test_palette() -> None:
    """Palette entries become their colours."""
    image = Image.new("P", (2, 1), 1)
    image.putpalette([0, 0, 0, 9, 8, 7])
    assert colour_at(encode(image)) == [9, 8, 7]


def test_palette_transparency() -> None:
    """A transparent palette entry shows white."""
    image = Image.new("P", (2, 1), 1)
    image.putpalette([0, 0, 0, 9, 8, 7])
    image.putpixel((1, 0), 0)
    data = encode(image, transparency=0)
    assert colour_at(data) == [9, 8, 7]
    assert colour_at(data, column=1) == [255, 255, 255]


def test_alpha_is_laid_over_white() -> None:
    """Alpha mixes with white, in colour and in grey."""
    assert colour_at(encode(Image.new("RGBA", (1, 1), (0, 100, 255, 0)))) == [255, 255, 255]
    assert colour_at(encode(Image.new("RGBA", (1, 1), (0, 100, 255, 255)))) == [0, 100, 255]
    half = colour_at(encode(Image.new("RGBA", (1, 1), (0, 100, 255, 51))))
    assert half == [204, 224, 255]
    assert decode(encode(Image.new("LA", (1, 1), (0, 51))), channels=1).tolist() == [[[204]]]


def test_colour_key_transparency() -> None:
    """A transparent colour of an RGB file shows white."""
    data = encode(Image.new("RGB", (1, 1), (1, 2, 3)), transparency=(1, 2, 3))
    assert colour_at(data) == [255, 255, 255]


def test_cmyk() -> None:
    """CMYK becomes RGB."""
    cyan = encode(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "TIFF")
    assert colour_at(cyan) == [0, 255, 255]


def test_16_bit_grey() -> None:
    """16-bit grey is scaled, not clipped."""
    values = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    data = encode(Image.fromarray(values))
    assert read_header(data, "x").is_grey
    assert decode(data, channels=1).tolist() == [[[0, 0, 1, 1, 128, 255]]]


def test_wider_pixels_are_refused() -> None:
    """Pixels without an 8-bit meaning are errors."""
    wide = encode(Image.fromarray(np.full((2, 2), 70_000, dtype=np.int32)), "TIFF")
    with pytest.raises(DataError, match=r"'cat/1.png' has pixels of more than 16 bits"):
        decode(wide, channels=1)
    real = encode(Image.fromarray(np.ones((2, 2), dtype=np.float32)), "TIFF")
    with pytest.raises(DataError, match=r"'cat/1.png' stores floating-point pixels"):
        decode(real)


def test_first_frame_of_an_animation() -> None:
    """Only the first frame counts."""
    frames = [Image.new("RGB", (2, 2), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert colour_at(data) == [255, 0, 0]


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (2, (0, 5)), (3, (3, 5)), (4, (3, 0)), (6, (0, 3)), (8, (5, 0))],
)
def test_exif_orientation(orientation: int, corner: tuple[int, int]) -> None:
    """The header and the pixels agree on the upright image."""
    image = Image.new("RGB", (6, 4))
    image.putpixel((0, 0), (200, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(image, exif=exif)
    header = read_header(data, "x")
    decoded = decode(data)
    assert (header.height, header.width) == decoded.shape[1:]
    assert decoded[0][corner] == 200


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_headers(mode: str) -> None:
    """Files without colour are announced as grey."""
    assert read_header(encode(Image.new(mode, (3, 2))), "x").is_grey


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_headers(mode: str) -> None:
    """Everything else counts as colour."""
    header = read_header(encode(Image.new(mode, (3, 2))), "x")
    assert (header.height, header.width, header.is_grey) == (2, 3, False)


@pytest.mark.parametrize("data", [b"", b"not an image", b"%!PS-Adobe-3.0\n"])
def test_broken_headers(data: bytes) -> None:
    """What is no image is named."""
    with pytest.raises(DataError, match=r"'cat/1.png' is not a readable image"):
        read_header(data, "cat/1.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_truncated_files(kind: str) -> None:
    """Half a file is an error, not half an image."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    data = encode(Image.fromarray(pixels), kind)
    with pytest.raises(DataError, match=r"'cat/1.png' is not a readable image"):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize("size", [(513, 4), (4, 513)])
def test_too_many_pixels(size: tuple[int, int]) -> None:
    """More than 512 pixels a side is refused, and 512 is not."""
    with pytest.raises(DataError, match=rf"'x' has {size[0]}x{size[1]} pixels; .* pass --size N"):
        read_header(encode(Image.new("L", size)), "x")
    assert read_header(encode(Image.new("L", (512, 512))), "x").height == 512


def test_decompression_bomb() -> None:
    """A header that promises a billion pixels is refused before any is decoded."""
    data = bytearray(flat(0, "L"))
    data[16:24] = (40_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(DataError, match="'x' has far too many pixels"):
        read_header(bytes(data), "x")


def test_huge_file() -> None:
    """A file of many megabytes is refused by its length."""
    with pytest.raises(DataError, match="'x' is 16 MiB"):
        read_header(bytes(MAX_FILE_BYTES + 1), "x")


def test_decoded_array_is_contiguous() -> None:
    """The array is ready to be copied in one go."""
    buffer = io.BytesIO(flat(3))
    assert decode(buffer.getvalue()).flags["C_CONTIGUOUS"]

"""Decode one image file to pixels."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ddcodec.datasets.trees.image_claims import check_exif, check_file
from ddcodec.datasets.trees.resize import MAX_SIDE, ImageSize, fit
from ddcodec.errors import DataError

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".pbm",
    ".tif", ".tiff", ".avif", ".jp2", ".j2k", ".jxl",
)  # fmt: skip

# Nothing else is tried, whatever the bytes look like: some of Pillow's readers start programs.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "PPM", "TIFF", "AVIF", "JPEG2000", "JXL")
_NEED_A_PLUGIN = {
    ".avif": ("AVIF", "Pillow 11.3 or later, built with AVIF"),
    ".jp2": ("JPEG2000", "a Pillow built with OpenJPEG"),
    ".j2k": ("JPEG2000", "a Pillow built with OpenJPEG"),
    ".jxl": ("JXL", "pillow-jxl-plugin: pip install pillow-jxl-plugin"),
}

MAX_FILE_BYTES = 16 * 2**20  # ten times a 512×512 image stored without compression

# Where images are resized anyway, they may be large: the largest of ImageNet has 61 million pixels.
MAX_RESIZED_PIXELS = 2**26
MAX_RESIZED_FILE_BYTES = 4 * MAX_FILE_BYTES

_EXIF_ORIENTATION = 0x0112
_TURNED = range(2, 9)
_TIFF_WIDTH = 0x0100
_BAND_PIXELS = 2**20


@dataclass(frozen=True)
class ImageHeader:
    """Say what an image file promises, as it will be once upright: H, W and grey or colour."""

    height: int
    width: int
    is_grey: bool
    is_animated: bool = False


def is_image_name(path: str) -> bool:
    """Tell whether the file name ends like a supported image."""
    return path.lower().endswith(IMAGE_SUFFIXES)


def check_file_size(num_bytes: int, path: str, size: ImageSize | None = None) -> None:
    """Raise DataError naming `path` for a file too large to be read.

    That is more than 16 MiB, or 64 MiB where the image is to be resized to `size`.
    """
    if size is None and num_bytes > MAX_FILE_BYTES:
        raise DataError(
            f"'{path}' is {num_bytes / 2**20:.0f} MiB; images may be at most "
            f"{MAX_SIDE}x{MAX_SIDE} pixels, so pass --size N to resize them."
        )
    if num_bytes > MAX_RESIZED_FILE_BYTES:
        raise DataError(
            f"'{path}' is {num_bytes / 2**20:.0f} MiB; images may be at most "
            f"{MAX_RESIZED_FILE_BYTES / 2**20:.0f} MiB, so resize it first."
        )


def read_header(data: bytes, path: str, size: ImageSize | None = None) -> ImageHeader:
    """Read size and colour without decoding pixels.

    Palette images count as colour. Raises DataError naming `path` for a file that is no image
    or that is larger than 512×512, or 2²⁶ pixels where it is to be resized to `size`.
    """
    with _opened(data, path, size) as image:
        width, height = image.size
        # Asking for EXIF can decode the whole file, so ask only where the answer matters.
        if width != height and not _is_upright(image) and _orientation(image, path) >= 5:
            width, height = height, width
        return ImageHeader(height, width, _is_grey(image), getattr(image, "is_animated", False))


def decode_image(
    data: bytes, path: str, channels: int, size: ImageSize | None = None
) -> NDArray[np.uint8]:
    """Decode an image file to uint8, C×H×W, where C is `channels`, 1 or 3.

    With `size` the image is brought to it as `resize.fit` says, when all else is done.

    The first frame counts; EXIF orientation is applied; transparency is laid over white;
    palette, CMYK and every other colour space become RGB; 16-bit grey is scaled to 8 bits;
    colour profiles are ignored. Raises DataError naming `path` for a broken, truncated or
    oversized file and for pixels with no 8-bit meaning.
    """
    with _opened(data, path, size) as image:
        image.load()
        check_exif(image, path)
        # Without a reason for one, both would make a copy.
        turned = image.getexif().get(_EXIF_ORIENTATION, 1) in _TURNED
        upright = ImageOps.exif_transpose(image) if turned else image
        if _is_grey(upright) and upright.mode.startswith("I"):
            upright = _scale_16_bits(upright, path)
        elif upright.mode == "F":
            raise DataError(f"'{path}' stores floating-point pixels; save it as 8-bit PNG.")
        elif upright.has_transparency_data:
            upright = _over_white(upright)
        mode = "L" if channels == 1 else "RGB"
        converted = upright if upright.mode == mode else upright.convert(mode)
        if size is not None:
            converted = fit(converted, size)
        pixels = np.asarray(converted, dtype=np.uint8)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


@contextmanager
def _opened(data: bytes, path: str, size: ImageSize | None) -> Iterator[Image.Image]:
    """Open an image, check its size, and turn every way of failing into a DataError."""
    check_file_size(len(data), path, size)
    check_file(data, path)
    try:
        # Our own limit is far below the one Pillow warns about.
        with _silence(), Image.open(io.BytesIO(data), formats=_formats()) as image:
            _check_size(image, path, size)
            yield image
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(_far_too_large(path)) from error
    except Exception as error:
        # Pillow's readers raise almost anything on damaged files, IndexError to SyntaxError.
        kind, needed = _NEED_A_PLUGIN.get(f".{path.lower().rpartition('.')[2]}", ("", ""))
        if kind and kind not in _formats():
            raise DataError(f"'{path}' needs {needed}; or save it as PNG.") from error
        raise DataError(
            f"'{path}' is not a readable image (broken or truncated); replace or remove it."
        ) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Keep back what Pillow warns of; that is one setting of the process, so not in threads."""
    is_main = threading.current_thread() is threading.main_thread()
    with warnings.catch_warnings() if is_main else nullcontext():
        if is_main:
            warnings.simplefilter("ignore")
        yield


def _is_upright(image: Image.Image) -> bool:
    """Tell whether Pillow gives the size as it will be: of TIFF newer versions do."""
    stored = getattr(image, "tag_v2", None)
    return stored is not None and stored.get(_TIFF_WIDTH) != image.width


def _orientation(image: Image.Image, path: str) -> int:
    # PNG may have it behind the pixels.
    if image.format == "PNG" and "exif" not in image.info:
        image.load()
    check_exif(image, path)
    return int(image.getexif().get(_EXIF_ORIENTATION, 1))


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    """Return those of the formats that this Pillow reads."""
    Image.init()
    with suppress(ImportError):
        # Registers itself with Pillow.
        import_module("pillow_jxl")
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _check_size(image: Image.Image, path: str, size: ImageSize | None) -> None:
    width, height = image.size
    if size is None and max(width, height) > MAX_SIDE:
        raise DataError(
            f"'{path}' has {width}x{height} pixels; images may be at most {MAX_SIDE}x{MAX_SIDE}, "
            "so pass --size N to resize them."
        )
    if width * height > MAX_RESIZED_PIXELS:
        raise DataError(_far_too_large(path))


def _far_too_large(path: str) -> str:
    return f"'{path}' has far too many pixels to be an image of a dataset; remove it."


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def _scale_16_bits(image: Image.Image, path: str) -> Image.Image:
    """Scale 16-bit grey, which Pillow opens as I;16 or I, so that 65535 becomes 255."""
    scaled = Image.new("L", image.size)
    for box in _bands(image):
        values = np.asarray(image.crop(box)).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise DataError(f"'{path}' has pixels of more than 16 bits; save it as 8-bit PNG.")
        scaled.paste(Image.fromarray(((values + 128) // 257).astype(np.uint8)), box)
    return scaled


def _over_white(image: Image.Image) -> Image.Image:
    laid = Image.new("RGB", image.size)
    for box in _bands(image):
        colour = image.crop(box).convert("RGBA")
        white = Image.new("RGBA", colour.size, (255, 255, 255, 255))
        laid.paste(Image.alpha_composite(white, colour).convert("RGB"), box)
    return laid


def _bands(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Yield boxes of a few rows each, since of large images wide copies would be made."""
    step = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, step):
        yield 0, top, image.width, min(top + step, image.height)

"""Real images by common image codecs and as a .ddc: PSNR at equal bytes, and folders to train on.

    python benchmarks/image_codecs.py psnr cifar10 --data cifar10.tar.xz --bytes 30 100 400
    python benchmarks/image_codecs.py fill cifar10 --data cifar10.tar.xz --bytes 10000 -o filled
    ddc compare none-10k.ddc filled/* --data cifar10.tar.xz

Every codec is at its best effort. "Stripped" is without what a decoder of images of one shape and
one codec could restate: what all files begin with counts once, and two bytes are added for the
length of each. A sheet is one picture of all images, side by side; a DCT sheet one of their
quantised coefficients, those of one frequency side by side, without loss. JPEG XL needs
`pillow-jxl-plugin`; a codec that is not installed is left out.

`psnr` prints lines of JSON: PSNR over all pixels, by linear interpolation between the two nearest
qualities, or null where the codec cannot write so few bytes an image. `fill` writes a folder for
each codec with as many files as fit into so many bytes per class, headers included, at the lowest
quality that reaches a PSNR, or the nearest to it.
"""

import argparse
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from ddcodec.datasets import Dataset, load_dataset
from ddcodec.datasets.base import ImageSplit, content_fingerprint
from ddcodec.datasets.given_images import GivenImages
from ddcodec.distill.comparison.image_counts import spread_evenly
from ddcodec.distill.given_set import encode_given_images
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.start.initial_images import at_random, no_look
from ddcodec.evaluation.random_real import order_of_class

Images = NDArray[np.uint8]
"""uint8 N×H×W×3."""

LENGTH_BYTES = 2  # of a stripped file, which no longer says where it ends
_PEAK = 255.0


@dataclass(frozen=True)
class Codec:
    """A codec of Pillow.

    Attributes:
        kind: Pillow's name of the format.
        qualities: To try, from the smallest files to the largest.
        options: Of its greatest effort.
        payload: What is left of a file without its container.
    """

    kind: str
    qualities: tuple[int, ...]
    options: dict[str, Any]
    payload: Callable[[bytes], bytes] = bytes

    def encode(self, picture: Image.Image, quality: int, **options: Any) -> bytes:
        """Return the file of a picture."""
        stream = io.BytesIO()
        picture.save(stream, self.kind, **self.options | {"quality": quality} | options)
        return stream.getvalue()


def _webp_payload(data: bytes) -> bytes:
    """Return a VP8 frame without RIFF and chunk headers, start code and size."""
    assert data[12:16] == b"VP8 "
    frame = data[20:]
    return frame[:3] + frame[10:]


def _avif_payload(data: bytes) -> bytes:
    """Return the coded frame alone: what lies in the box `mdat`."""
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"mdat":
            return data[position + 8 : position + size]
        position += size
    raise ValueError("an AVIF without mdat")


_QUALITIES = (0, 1, 2, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 95)
CODECS = {
    # Tables of one's own do not pay where the tables are as large as the picture.
    "JPEG": Codec("JPEG", _QUALITIES[1:], {"optimize": False}),
    "JPEG, tables of its own": Codec("JPEG", _QUALITIES[1:], {"optimize": True}),
    "WebP": Codec("WEBP", _QUALITIES, {"method": 6}, _webp_payload),
    "AVIF": Codec("AVIF", _QUALITIES, {"speed": 0}, _avif_payload),
    "JPEG XL": Codec("JXL", _QUALITIES, {"effort": 9}),
}


def available(codec: Codec) -> bool:
    """Return whether the codec is installed."""
    if codec.kind == "JXL":
        try:
            import_module("pillow_jxl")
        except ImportError:
            return False
        return True
    return codec.kind == "JPEG" or bool(features.check(codec.kind.lower()))


@dataclass(frozen=True)
class Point:
    """What a codec makes of all images at one quality.

    Attributes:
        name: The code.
        bytes_per_image: Of all there is, divided by images.
        squared_error: Mean over all pixels.
    """

    name: str
    bytes_per_image: float
    squared_error: float

    @property
    def psnr(self) -> float:
        """In dB."""
        return 10 * math.log10(_PEAK**2 / self.squared_error) if self.squared_error else math.inf


def file_each(name: str, codec: Codec, images: Images, quality: int) -> Iterator[Point]:
    """Yield the points of one file for each image, as they are and stripped."""
    files = [codec.encode(Image.fromarray(image), quality) for image in images]
    error = _squared_error(np.stack([_decode(data) for data in files]), images)
    yield Point(f"{name}, a file each", sum(map(len, files)) / len(images), error)
    payloads = [codec.payload(data) for data in files]
    # Between the first and the last in order lie all others, with all that these two share.
    low, high = min(payloads), max(payloads)
    common = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    rest = sum(len(payload) - common + LENGTH_BYTES for payload in payloads)
    yield Point(f"{name}, stripped", (common + rest) / len(images), error)


def sheet(name: str, codec: Codec, images: Images, quality: int) -> Point:
    """Return the point of one picture of all images."""
    data = codec.encode(Image.fromarray(_tiled(images)), quality)
    decoded = _untiled(_decode(data), images.shape)
    return Point(f"{name}, one sheet", len(data) / len(images), _squared_error(decoded, images))


def dct_sheet(name: str, codec: Codec, images: Images, step: float) -> Point:
    """Return the point of one picture of the coefficients of all images.

    They are those of each image as a whole, luma at `step` and chroma at twice that.
    """
    steps = step * np.array([1.0, 2.0, 2.0])
    rows, columns = _dct(images.shape[1]), _dct(images.shape[2])
    coefficients = np.einsum("ui,nijc,vj->nuvc", rows, (images - 128.0) @ _YCC.T, columns)
    integers = np.clip(np.rint(coefficients / steps), -128, 127)
    # Frequency by frequency: a tile of the sheet holds one coefficient of every image.
    side = math.isqrt(len(images) - 1) + 1
    padded = np.zeros((side * side, *integers.shape[1:]))
    padded[: len(images)] = integers + 128
    tiles = padded.reshape(side, side, *integers.shape[1:]).transpose(2, 0, 3, 1, 4)
    picture = tiles.reshape(tiles.shape[0] * side, -1, 3).astype(np.uint8)
    data = codec.encode(Image.fromarray(picture), 100, lossless=True)
    assert np.array_equal(_decode(data), picture)
    back = np.einsum("ui,nuvc,vj->nijc", rows, integers * steps, columns) @ np.linalg.inv(_YCC).T
    decoded = np.clip(np.rint(back + 128), 0, 255)
    size = len(data) / len(images)
    return Point(f"DCT coefficients as {name}, one sheet", size, _squared_error(decoded, images))


_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def _dct(size: int) -> NDArray[np.float64]:
    """Return the orthonormal DCT-II, size×size."""
    waves = np.cos(np.pi / size * np.outer(np.arange(size), np.arange(size) + 0.5))
    waves[0] /= math.sqrt(2)
    return waves * math.sqrt(2 / size)


def _tiled(images: Images) -> Images:
    side = math.isqrt(len(images) - 1) + 1
    padded = np.repeat(images[-1:], side * side, axis=0)
    padded[: len(images)] = images
    _, height, width, channels = images.shape
    grid = padded.reshape(side, side, height, width, channels).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(grid.reshape(side * height, side * width, channels))


def _untiled(picture: Images, shape: tuple[int, ...]) -> Images:
    count, height, width, channels = shape
    rows, columns = picture.shape[0] // height, picture.shape[1] // width
    grid = picture.reshape(rows, height, columns, width, channels).transpose(0, 2, 1, 3, 4)
    return grid.reshape(-1, height, width, channels)[:count]


def _decode(data: bytes) -> Images:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def _squared_error(decoded: NDArray[Any], images: Images) -> float:
    return float(np.mean((decoded.astype(np.float64) - images) ** 2))


def image_codec_points(images: Images) -> Iterator[list[Point]]:
    """Yield the points of every code, all its qualities together."""
    for name, codec in CODECS.items():
        if not available(codec):
            continue
        pairs = (file_each(name, codec, images, quality) for quality in codec.qualities)
        yield from map(list, zip(*pairs, strict=True))
        yield [sheet(name, codec, images, quality) for quality in codec.qualities]
        if name in ("WebP", "JPEG XL"):
            steps = (256, 192, 128, 96, 64, 48, 32, 24)
            yield [dct_sheet(name, codec, images, step) for step in steps]


def at_bytes(points: list[Point], bytes_per_image: float) -> float | None:
    """Return the PSNR of a code at a size, or None where it is out of its reach."""
    ordered = sorted(points, key=lambda point: point.bytes_per_image)
    for below, above in pairwise(ordered):
        if below.bytes_per_image <= bytes_per_image <= above.bytes_per_image:
            span = above.bytes_per_image - below.bytes_per_image
            part = (bytes_per_image - below.bytes_per_image) / span if span else 0.0
            return below.psnr + part * (above.psnr - below.psnr)
    return None


def ddc_point(dataset: Dataset, rows: NDArray[np.int64], bytes_per_image: float) -> Point:
    """Return the point of a .ddc of exactly these images, everything in it counted."""
    split = ImageSplit(dataset.train.images[rows], dataset.train.labels[rows])
    fingerprint = content_fingerprint(dataset.class_names, {"train": split})
    given = Dataset(dataset.name, dataset.class_names, split, None, fingerprint)
    bytes_per_class = bytes_per_image * len(rows) / dataset.num_classes
    recipe = Recipe(bytes_per_class=bytes_per_class, loss="none", keep_class_names=False)
    encoded = encode_given_images(GivenImages(given, has_names=False), recipe)
    size = len(encoded.distilled.encoded.data) / len(rows)
    return Point(".ddc", size, _PEAK**2 / 10 ** (encoded.psnr / 10))


def psnr(arguments: argparse.Namespace, dataset: Dataset) -> None:
    """Print the PSNR of every code at every size."""
    rows = _rows(dataset.train.labels, arguments.images)
    images = np.ascontiguousarray(dataset.train.images[rows].transpose(0, 2, 3, 1))
    for points in image_codec_points(images):
        found = {str(size): _rounded(at_bytes(points, size)) for size in arguments.bytes}
        smallest = min(point.bytes_per_image for point in points)
        line = {"code": points[0].name, "smallest": round(smallest, 1), "psnr": found}
        print(json.dumps(line), flush=True)
    for size in arguments.bytes:
        point = ddc_point(dataset, rows, size)
        line = {"code": point.name, "bytes": round(point.bytes_per_image, 2)}
        print(json.dumps(line | {"psnr": {str(size): _rounded(point.psnr)}}), flush=True)


def fill(arguments: argparse.Namespace, dataset: Dataset) -> None:
    """Write folders of as many images of each class as fit."""
    sample = _rows(dataset.train.labels, arguments.images)
    images = np.ascontiguousarray(dataset.train.images[sample].transpose(0, 2, 3, 1))
    for name, codec in CODECS.items():
        if not available(codec) or "," in name:
            continue
        points = {q: next(file_each(name, codec, images, q)) for q in codec.qualities}
        good = [q for q, point in points.items() if point.psnr >= arguments.psnr]
        quality = good[0] if good else codec.qualities[-1]
        folder = arguments.output / name.lower().replace(" ", "-")
        line = {"code": name, "quality": quality, "psnr": _rounded(points[quality].psnr)}
        counts = [
            _fill_class(dataset, label, codec, quality, arguments.bytes, folder)
            for label in range(dataset.num_classes)
        ]
        print(json.dumps(line | {"images": sum(counts), "folder": str(folder)}), flush=True)


def _fill_class(
    dataset: Dataset, label: int, codec: Codec, quality: int, budget_bytes: int, folder: Path
) -> int:
    """Write files of a class until the next one does not fit; return their number."""
    target = folder / dataset.class_names[label]
    target.mkdir(parents=True)
    left = budget_bytes
    for number, row in enumerate(order_of_class(dataset.train.labels, label, 0).tolist()):
        picture = Image.fromarray(dataset.train.images[row].transpose(1, 2, 0))
        data = codec.encode(picture, quality)
        left -= len(data)
        if left < 0:
            return number
        (target / f"{number}.{codec.kind.lower()}").write_bytes(data)
    return number + 1


def _rows(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return as many random images of each class, by class."""
    counts = spread_evenly(count, np.bincount(labels).astype(np.int64))
    return np.concatenate(
        [
            at_random(np.flatnonzero(labels == label), label, int(share), 0, no_look)
            for label, share in enumerate(counts)
        ]
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def main() -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    for command in (psnr, fill):
        inner = commands.add_parser(command.__name__, help=command.__doc__)
        inner.set_defaults(command=command)
        inner.add_argument("dataset")
        inner.add_argument("--data")
        inner.add_argument("--images", type=int, default=1000, help="to measure PSNR on")
    inner.add_argument("--bytes", type=int, required=True, help="per class")
    inner.add_argument("--psnr", type=float, default=24.0)
    inner.add_argument("-o", "--output", type=Path, required=True)
    per_image = commands.choices["psnr"]
    per_image.add_argument("--bytes", type=float, nargs="+", required=True, help="an image")
    arguments = parser.parse_args()
    arguments.command(arguments, load_dataset(arguments.dataset, arguments.data))


if __name__ == "__main__":
    main()

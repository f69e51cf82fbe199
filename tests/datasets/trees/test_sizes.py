"""Bringing images to one size: what is kept, what is cut, and which filter."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_trees import encode, flat, split_tree, write_source
from PIL import Image

from ddcodec.datasets import ImageSize, load_dataset
from ddcodec.datasets.trees.image import decode_image, read_header
from ddcodec.datasets.trees.resize import fit, fit_pixels
from ddcodec.errors import DataError


@pytest.mark.parametrize(
    ("given", "height", "width"),
    [
        (128, 128, 128),
        ((96, 128), 96, 128),
        ("64", 64, 64),
        (" 8x16 ", 8, 16),
        ("8X16", 8, 16),
        (ImageSize(1, 512), 1, 512),
    ],
)
def test_sizes(given: object, height: int, width: int) -> None:
    """Numbers, pairs and text, height first; text of a size reads as the same."""
    size = ImageSize.of(given)  # type: ignore[arg-type]
    assert (size.height, size.width) == (height, width)
    assert ImageSize.of(str(size)) == size


@pytest.mark.parametrize(
    "given", [0, 513, (0, 5), (5, 513), -1, "0", "99999999", "x", "8x", "", "٣"]
)
def test_wrong_sizes(given: object) -> None:
    """What is no size or out of range is one sentence."""
    with pytest.raises(DataError, match=r"choose a size from 1 to 512|is not a size"):
        ImageSize.of(given)  # type: ignore[arg-type]


def test_the_middle_is_kept() -> None:
    """Of a wide image the sides go, of a high one top and bottom, evenly."""
    wide = np.arange(8, dtype=np.uint8)[None, None].repeat(4, axis=1)
    assert fit_pixels(wide, ImageSize(4, 4))[0].tolist() == [[2, 3, 4, 5]] * 4
    high = wide.transpose(0, 2, 1)
    assert fit_pixels(high, ImageSize(4, 4))[0].tolist() == [[i] * 4 for i in (2, 3, 4, 5)]


def test_nothing_happens_to_the_right_size() -> None:
    """Images that have the size keep every pixel."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 7), dtype=np.uint8)
    assert np.array_equal(fit_pixels(pixels, ImageSize(9, 7)), pixels)


def test_filter_is_pinned() -> None:
    """Reduction is Pillow's bicubic, which averages and overshoots a little."""
    edge = np.repeat(np.array([0, 255], dtype=np.uint8), 8)[None, None].repeat(16, axis=1)
    assert fit_pixels(edge, ImageSize(4, 4))[0, 0].tolist() == [0, 19, 236, 255]
    line = np.zeros((1, 12, 12), dtype=np.uint8)
    line[:, :, 6] = 240
    assert fit_pixels(line, ImageSize(4, 4))[0, 0].tolist() == PINNED_LINE
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), 32)[None, None].repeat(64, axis=1)
    assert np.ptp(fit_pixels(stripes, ImageSize(8, 8))[0, :, 1:-1]) <= 2


PINNED_LINE = [0, 26, 61, 0]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_any_size_becomes_any_other(height: int, width: int, to_height: int, to_width: int) -> None:
    """Every image comes out at the size that is asked for, flat ones as flat as before."""
    size = ImageSize(to_height, to_width)
    image = fit(Image.new("L", (width, height), 77), size)
    assert image.size == (to_width, to_height)
    assert image.getextrema() == (77, 77)


def test_decoding_large_images() -> None:
    """Images too large for the codec are read where they are resized, and refused elsewhere."""
    data = encode(Image.new("RGB", (700, 600), (1, 2, 3)))
    with pytest.raises(DataError, match=r"'x' has 700x600 pixels; .* --size N"):
        read_header(data, "x")
    size = ImageSize(30, 40)
    assert (read_header(data, "x", size).height, read_header(data, "x", size).width) == (600, 700)
    decoded = decode_image(data, "x", 3, size)
    assert decoded.shape == (3, 30, 40)
    assert decoded[:, 5, 5].tolist() == [1, 2, 3]
    assert decode_image(flat(9, "L", (31, 17)), "x", 1, size).tolist() == [[[9] * 40] * 30]


def test_tree_of_unequal_images(tmp_path: Path) -> None:
    """A tree loads at any size, upright first, and every size is kept by itself."""
    files = {**split_tree(), "train/ant/b.png": flat(20, size=(30, 50))}
    exif = Image.Exif()
    exif[0x0112] = 6
    files["train/ant/c.png"] = encode(Image.new("RGB", (40, 10), (30,) * 3), exif=exif)
    source = write_source(tmp_path, ".zip", files)
    for size in (8, (4, 12), "6"):
        dataset = load_dataset(str(source), cache_dir=tmp_path / "cache", size=size)
        expected = ImageSize.of(size)
        assert (dataset.height, dataset.width) == (expected.height, expected.width)
        assert dataset.train.images[:, 0, 0, 0].tolist() == [10, 20, 30, 40, 50]
        assert dataset.test is not None
        assert dataset.test.images.shape[1:] == dataset.train.images.shape[1:]
    assert len(list((tmp_path / "cache" / "datasets").iterdir())) == 3

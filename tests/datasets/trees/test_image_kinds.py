"""Every kind of image file, in folders and archives, and what is said of those unlike others."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from image_trees import Files, encode, flat, write_source
from PIL import Image, features

from ddcodec.datasets import Dataset, load_folder
from ddcodec.datasets.trees import image as image_module
from ddcodec.errors import DataError

KINDS = ["", ".zip", ".tar"]

FORMATS: dict[str, tuple[str, str | None]] = {
    ".png": ("PNG", None), ".jpg": ("JPEG", None), ".jpeg": ("JPEG", None), ".jpe": ("JPEG", None),
    ".jfif": ("JPEG", None), ".bmp": ("BMP", None), ".webp": ("WEBP", "webp"),
    ".gif": ("GIF", None), ".ppm": ("PPM", None), ".tif": ("TIFF", None), ".tiff": ("TIFF", None),
    ".avif": ("AVIF", "avif"), ".jp2": ("JPEG2000", "jpg_2000"), ".j2k": ("JPEG2000", "jpg_2000"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _formats_anew() -> Iterator[None]:
    """Let every test find out by itself what Pillow reads."""
    image_module._formats.cache_clear()
    yield
    image_module._formats.cache_clear()


def load(tmp_path: Path, files: Files, kind: str) -> Dataset:
    """Load files brought as a folder or archive."""
    return load_folder("x", write_source(tmp_path, kind, files), tmp_path / "cache")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", FORMATS)
def test_kinds_by_their_suffix(tmp_path: Path, suffix: str, kind: str) -> None:
    """What Pillow reads is read, whatever the case of the suffix."""
    name, feature = FORMATS[suffix]
    if feature is not None and not features.check(feature):
        pytest.skip(f"this Pillow has no {name}")
    data = encode(Image.new("RGB", (16, 16), (200, 200, 200)), name)
    files: Files = {f"ant/a{suffix}": data, f"bee/b{suffix.upper()}": data}
    dataset = load(tmp_path, files, kind)
    assert dataset.train.images.shape == (2, 3, 16, 16)
    assert np.abs(dataset.train.images.astype(int) - 200).max() <= 3
    assert dataset.notes == ()


def test_every_suffix_is_tried_here() -> None:
    """The kinds above are those that are known, but for maps and what takes a plugin."""
    assert set(FORMATS) | {".pgm", ".pbm", ".jxl"} == set(image_module.IMAGE_SUFFIXES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_animations(tmp_path: Path, name: str, kind: str) -> None:
    """The first frame is taken, which is said once for all."""
    frames = [Image.new("RGB", (6, 4), (value,) * 3) for value in (0, 255)]
    moving = encode(frames[0], name, save_all=True, append_images=frames[1:], duration=10)
    suffix = name.lower()
    files: Files = {f"ant/a.{suffix}": moving, f"ant/b.{suffix}": moving, "bee/c.png": flat(0)}
    dataset = load(tmp_path, files, kind)
    assert dataset.train.images.max() == 0
    assert dataset.notes == ("Animated, of which the first frame is taken: 2 images.",)


@pytest.mark.parametrize("kind", KINDS)
def test_grey_among_colour_is_said(tmp_path: Path, kind: str) -> None:
    """Grey images become RGB where others are."""
    files = {"ant/a.png": flat(9, "L"), "ant/b.png": flat(9), "bee/c.png": flat(9, "L")}
    dataset = load(tmp_path, files, kind)
    assert dataset.channels == 3
    assert dataset.notes == ("Grey and brought to RGB, as the others are: 2 images.",)


@pytest.mark.parametrize("kind", KINDS)
def test_jpeg_xl(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """JPEG XL is read by its plugin; without, the sentence says what to install."""
    files: Files = {"ant/a.jxl": b"\xff\x0a junk", "bee/b.png": flat(1)}
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    monkeypatch.delitem(Image.OPEN, "JXL", raising=False)
    with pytest.raises(DataError, match=r"'ant/a.jxl' needs pillow-jxl-plugin: pip install"):
        load(tmp_path, files, kind)


def test_jpeg_xl_by_its_plugin(tmp_path: Path) -> None:
    """Where the plugin is installed, it is found."""
    pytest.importorskip("pillow_jxl", reason="pillow-jxl-plugin is not installed")
    data = encode(Image.new("RGB", (8, 8), (7, 7, 7)), "JXL", lossless=True)
    dataset = load(tmp_path, {"ant/a.jxl": data, "bee/b.jxl": data}, "")
    assert dataset.train.images.min() == dataset.train.images.max() == 7

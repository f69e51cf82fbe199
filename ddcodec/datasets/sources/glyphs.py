"""The embedded dataset: cluttered digits drawn on the spot, nothing to download."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset, ImageSplit
from ddcodec.datasets.cache import allocate_split, cached_dataset
from ddcodec.datasets.named import NamedDataset
from ddcodec.datasets.own import resized
from ddcodec.datasets.request import LoadProgress, LoadRequest, OnProgress
from ddcodec.datasets.sources.glyph_drawing import SIZE, draw_glyph
from ddcodec.datasets.trees.tree import PROGRESS_IMAGES
from ddcodec.errors import DataError

CLASS_NAMES = tuple("0123456789")
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
TRAIN_SEED = 0
TEST_SEED = 1

# Raise it whenever the same seed would draw another image.
DRAWING_VERSION = 1


def load_glyphs(request: LoadRequest) -> Dataset:
    """Load the glyphs, drawing them on first use (about a minute).

    60,000 training and 10,000 test images, RGB, 32×32, ten equally frequent digits. Raises
    DataError when given `data`.
    """
    name = request.name
    if request.data is not None:
        raise DataError(
            f"'{name}' is drawn by this program and takes no --data; leave it out, or choose "
            "another name for your own images."
        )
    # The font comes with Pillow, so another Pillow may draw other images.
    recipe = (
        f"glyphs {DRAWING_VERSION} {PIL.__version__} "
        f"{TRAIN_IMAGES} {TRAIN_SEED} {TEST_IMAGES} {TEST_SEED}"
    )
    key = hashlib.sha256(recipe.encode()).hexdigest()

    def build(folder: Path) -> tuple[str, ...]:
        return _draw_both_splits(folder, request.on_progress)

    return resized(cached_dataset(name, key, request.cache_dir, build), request)


def generate_glyphs(num_images: int, seed: int, start: int = 0) -> ImageSplit:
    """Draw glyphs `start` to `start + num_images` of the endless sequence that `seed` names.

    Returns images, uint8, N×3×32×32, and labels, int64, N. Image n shows digit n mod 10 and
    depends on nothing but `seed`, n and the Pillow release. Raises DataError for a negative
    argument.
    """
    if min(num_images, seed, start) < 0:
        raise DataError("the number of glyphs, their seed and their start must be 0 or more.")
    images = np.empty((num_images, 3, SIZE, SIZE), dtype=np.uint8)
    labels = np.empty(num_images, dtype=np.int64)
    _draw_into(images, labels, seed, start)
    return ImageSplit(images, labels)


def _draw_both_splits(folder: Path, on_progress: OnProgress) -> tuple[str, ...]:
    done, total = 0, TRAIN_IMAGES + TEST_IMAGES
    for split, count, seed in (
        ("train", TRAIN_IMAGES, TRAIN_SEED),
        ("test", TEST_IMAGES, TEST_SEED),
    ):
        images, labels = allocate_split(folder, split, (count, 3, SIZE, SIZE))
        for start in range(0, count, PROGRESS_IMAGES):
            part = slice(start, start + PROGRESS_IMAGES)
            _draw_into(images[part], labels[part], seed, start)
            on_progress(LoadProgress("drawing", done + start, total, "images"))
        done += count
    return CLASS_NAMES


def _draw_into(images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int, start: int) -> None:
    for place in range(len(images)):
        index = start + place
        labels[place] = index % len(CLASS_NAMES)
        generator = np.random.Generator(np.random.PCG64([seed, index]))
        images[place] = draw_glyph(int(labels[place]), generator)


GLYPHS = NamedDataset(
    load_glyphs, len(CLASS_NAMES), (3, SIZE, SIZE), TRAIN_IMAGES, TEST_IMAGES, "drawn by ddc"
)

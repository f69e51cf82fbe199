"""The embedded datasets: cluttered numbers drawn on the spot, nothing to download."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import PIL

from ddcodec.datasets.base import Dataset, ImageSplit
from ddcodec.datasets.cache import cached_dataset
from ddcodec.datasets.cached_arrays import allocate_split, images_file
from ddcodec.datasets.named import NamedDataset
from ddcodec.datasets.own import resized
from ddcodec.datasets.request import LoadProgress, LoadRequest
from ddcodec.datasets.sources.glyph_drawing import SIZE, draw_into
from ddcodec.datasets.sources.glyph_processes import draw_in_processes
from ddcodec.datasets.streamed.decoding import usable_cores
from ddcodec.datasets.trees.tree import PROGRESS_IMAGES
from ddcodec.errors import DataError

NUM_DIGITS = 10
MOST_CLASSES = 1000
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
MANY_CLASSES = 500
MANY_TRAIN_IMAGES = 100_000
"""So many there are from so many classes on, or few would be left of each class."""
TRAIN_SEED = 0
TEST_SEED = 1

# Raise it whenever the same seed would draw another image.
DRAWING_VERSION = 1

MOST_PROCESSES, LEAST_IMAGES = 16, 1000
"""Processes that draw at most, and images for each of them at least."""


def class_names_of(num_classes: int) -> tuple[str, ...]:
    """Return the numbers from 0 on, all with as many digits: `00` … `49` of 50 classes."""
    digits = len(str(num_classes - 1))
    return tuple(f"{number:0{digits}}" for number in range(num_classes))


def split_sizes(num_classes: int) -> tuple[int, int]:
    """Return how many training and test images the glyphs of so many classes have."""
    return TRAIN_IMAGES if num_classes < MANY_CLASSES else MANY_TRAIN_IMAGES, TEST_IMAGES


def load_glyphs(request: LoadRequest, num_classes: int = NUM_DIGITS) -> Dataset:
    """Load the glyphs, drawing them on first use (a minute or two).

    60,000 training and 10,000 test images, of 1,000 classes 100,000 and 10,000; RGB, 32×32,
    equally frequent numbers. Raises DataError when given `data`.
    """
    name = request.name
    if request.data is not None:
        raise DataError(
            f"'{name}' is drawn by this program and takes no --data; leave it out, or choose "
            "another name for your own images."
        )
    train_images, test_images = split_sizes(num_classes)
    # The font comes with Pillow, so another Pillow may draw other images.
    recipe = (
        f"{name} {DRAWING_VERSION} {PIL.__version__} "
        f"{train_images} {TRAIN_SEED} {test_images} {TEST_SEED}"
    )
    key = hashlib.sha256(recipe.encode()).hexdigest()

    def build(folder: Path) -> tuple[str, ...]:
        return _draw_both_splits(folder, num_classes, request)

    dataset = cached_dataset(name, key, request.cache_dir, build, request.cache_limit)
    return resized(dataset, request)


def generate_glyphs(
    num_images: int, seed: int, start: int = 0, num_classes: int = NUM_DIGITS
) -> ImageSplit:
    """Draw glyphs `start` to `start + num_images` of the endless sequence that `seed` names.

    Returns images, uint8, N×3×32×32, and labels, int64, N. Image n shows the number n mod
    `num_classes`, with as many digits as the largest one, and depends on nothing but `seed`, n,
    `num_classes` (1 to 1,000) and the Pillow release. Raises DataError for an argument out of
    range.
    """
    if min(num_images, seed, start) < 0:
        raise DataError("the number of glyphs, their seed and their start must be 0 or more.")
    if not 1 <= num_classes <= MOST_CLASSES:
        raise DataError(f"glyphs have 1 to {MOST_CLASSES} classes, not {num_classes}.")
    images = np.empty((num_images, 3, SIZE, SIZE), dtype=np.uint8)
    draw_into(images, class_names_of(num_classes), seed, start)
    return ImageSplit(images, np.arange(start, start + num_images, dtype=np.int64) % num_classes)


def _draw_both_splits(folder: Path, num_classes: int, request: LoadRequest) -> tuple[str, ...]:
    names, sizes = class_names_of(num_classes), split_sizes(num_classes)
    done, total = 0, sum(sizes)
    generate_glyphs(1, TRAIN_SEED)  # Says what is missing, if anything.
    for split, count, seed in zip(("train", "test"), sizes, (TRAIN_SEED, TEST_SEED), strict=True):
        shape = (count, 3, SIZE, SIZE)
        images, labels = allocate_split(folder, split, shape, request.cache_limit)
        labels[:] = np.arange(count) % len(names)

        def show(drawn: int, done: int = done) -> None:
            request.on_progress(LoadProgress("drawing", done + drawn, total, "images"))

        if not _drawn_together(images_file(folder, split), names, seed, count, show):
            for start in range(0, count, PROGRESS_IMAGES):
                draw_into(images[start : start + PROGRESS_IMAGES], names, seed, start)
                show(start)
        done += count
    return names


def _drawn_together(
    path: Path, names: tuple[str, ...], seed: int, count: int, show: Callable[[int], None]
) -> bool:
    """Return whether several processes have drawn a split, which takes many images to pay."""
    processes = min(usable_cores(), MOST_PROCESSES, count // LEAST_IMAGES)
    if processes < 2:
        return False
    return draw_in_processes(path, names, seed, PROGRESS_IMAGES, processes, show)


def _glyphs(num_classes: int) -> NamedDataset:
    load = partial(load_glyphs, num_classes=num_classes)
    return NamedDataset(
        load, num_classes, (3, SIZE, SIZE), *split_sizes(num_classes), "drawn by ddc"
    )


GLYPHS = _glyphs(NUM_DIGITS)
GLYPHS_50, GLYPHS_200, GLYPHS_1000 = (_glyphs(count) for count in (50, 200, 1000))

"""Make datasets of arrays in memory, in the layouts and ranges people have them in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddcodec.datasets.base import CHUNK_BYTES, Dataset, ImageSplit, content_fingerprint
from ddcodec.datasets.in_arrays.array_labels import settle_labels
from ddcodec.datasets.trees.resize import MAX_SIDE, ImageSize, fit_pixels
from ddcodec.errors import DataError

_CHANNELS = (1, 3)
WORDS = {"train": "training", "test": "test"}


def from_arrays(
    train_images: ArrayLike,
    train_labels: ArrayLike,
    test_images: ArrayLike | None = None,
    test_labels: ArrayLike | None = None,
    *,
    class_names: Sequence[str] | None = None,
    name: str = "arrays",
    size: ImageSize | int | tuple[int, int] | None = None,
) -> Dataset:
    """Return a dataset of arrays, which it does not copy where they are as it has them.

    Args:
        train_images: see `as_pixels`.
        train_labels: see `array_labels.settle_labels`.
        test_images: likewise; None where there are none.
        test_labels: likewise.
        class_names: one for each number from 0 on; by default classes are called by their numbers.
            Those without training images are not counted.
        name: what to call the dataset.
        size: what to bring images to (`resize.fit`); by default they stay as they are.

    Raises:
        DataError: if arrays do not fit together or into what a dataset is.
    """
    if (test_images is None) != (test_labels is None):
        raise DataError("test images need test labels and the other way round; pass both.")
    given = {"train": (np.asarray(train_images), np.asarray(train_labels))}
    if test_images is not None:
        given["test"] = (np.asarray(test_images), np.asarray(test_labels))
    splits, names, notes = as_splits(given, class_names, size)
    fingerprint = content_fingerprint(names, splits)
    return Dataset(name, names, splits["train"], splits.get("test"), fingerprint, notes)


def as_splits(
    given: Mapping[str, tuple[NDArray[Any], NDArray[Any]]],
    class_names: Sequence[str] | None = None,
    size: ImageSize | int | tuple[int, int] | None = None,
) -> tuple[dict[str, ImageSplit], tuple[str, ...], tuple[str, ...]]:
    """Return the splits of pairs of images and labels, class names, and what is to be said.

    See `as_pixels` for images and `array_labels.settle_labels` for labels; raises DataError.
    """
    pixels = {
        split: fitted(as_pixels(images, WORDS[split]), WORDS[split], size)
        for split, (images, _) in given.items()
    }
    for split, (_, labels) in given.items():
        check_count(len(pixels[split]), labels.shape, WORDS[split])
    check_alike([images.shape[1:] for images in pixels.values()])
    settled = settle_labels({split: labels for split, (_, labels) in given.items()}, class_names)
    splits = {split: ImageSplit(pixels[split], settled.splits[split]) for split in given}
    return splits, settled.class_names, settled.notes


def check_count(num_images: int, label_shape: tuple[int, ...], what: str) -> None:
    """Raise DataError unless there are images, and a label for each."""
    count = label_shape[0] if label_shape else 0
    if num_images != count or not count:
        raise DataError(
            f"there are {num_images:,} {what} images but {count:,} {what} labels; each image needs "
            "one, and there must be some."
        )


def check_alike(shapes: Iterable[tuple[int, ...]]) -> None:
    """Raise DataError unless the images of all splits have one shape, C×H×W."""
    different = set(shapes)
    if len(different) > 1:
        both = " and ".join("x".join(map(str, shape)) for shape in sorted(different))
        raise DataError(f"training and test images have {both} values; they must be alike.")


def fitted(
    pixels: NDArray[np.uint8], what: str, size: ImageSize | int | tuple[int, int] | None
) -> NDArray[np.uint8]:
    """Return images brought to `size`; raises DataError where they are larger than may be."""
    if size is not None:
        pixels = np.stack([fit_pixels(image, ImageSize.of(size)) for image in pixels])
    check_sides(pixels.shape, what)
    return pixels


def check_sides(shape: tuple[int, ...], what: str) -> None:
    """Raise DataError for images, N×C×H×W, that are larger than the codec can code."""
    if max(shape[2:]) > MAX_SIDE:
        raise DataError(
            f"the {what} images have {shape[2]}x{shape[3]} pixels; they may be at most "
            f"{MAX_SIDE}x{MAX_SIDE}, so pass --size N to resize them."
        )


def channels_first(images: NDArray[Any], what: str) -> NDArray[Any]:
    """Return images as N×C×H×W, C 1 or 3; see `as_pixels` for what they may be."""
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] not in _CHANNELS and images.shape[3] in _CHANNELS:
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in _CHANNELS or not images.size:
        raise DataError(
            f"the {what} images are an array of {'x'.join(map(str, images.shape))}; expected "
            "NxHxW, NxCxHxW or NxHxWxC with 1 or 3 channels."
        )
    return images


def as_pixels(images: NDArray[Any], what: str) -> NDArray[np.uint8]:
    """Return images as uint8, N×C×H×W, C 1 or 3.

    `images` is N×H×W, N×C×H×W or N×H×W×C (where both could be meant, N×C×H×W), whole numbers from 0
    to 255 or real numbers from 0 to 1. Raises DataError for other shapes and ranges.
    """
    images = channels_first(images, what)
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "iuf":
        raise DataError(f"the {what} images are of type {images.dtype}; expected numbers.")
    low, high, top = images.min(), images.max(), 1 if images.dtype.kind == "f" else 255
    # Not a number is neither.
    if not (low >= 0 and high <= top):
        raise DataError(
            f"the {what} images of type {images.dtype} run from {low} to {high}; expected 0 to "
            f"{top}, so undo any normalisation first."
        )
    if top == 255:
        return images.astype(np.uint8)
    # A few at a time: of all of them three wide copies would be made.
    pixels = np.empty(images.shape, dtype=np.uint8)
    step = max(1, CHUNK_BYTES // images[0].size)
    for start in range(0, len(images), step):
        part = images[start : start + step]
        pixels[start : start + step] = np.rint(part * np.float64(255))
    return pixels

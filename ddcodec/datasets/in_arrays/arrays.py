"""Make datasets of arrays in memory, in the layouts and ranges people have them in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddcodec.datasets.base import Dataset, ImageSplit, content_fingerprint
from ddcodec.datasets.trees.resize import MAX_SIDE, ImageSize, fit_pixels
from ddcodec.errors import DataError

_CHANNELS = (1, 3)


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
        train_labels: see `as_labels`.
        test_images: likewise; None where there are none.
        test_labels: likewise.
        class_names: one for each label; by default the numbers 0 to the largest label.
        name: what to call the dataset.
        size: what to bring images to (`resize.fit`); by default they stay as they are.

    Raises:
        DataError: if arrays do not fit together or into what a dataset is.
    """
    if (test_images is None) != (test_labels is None):
        raise DataError("test images need test labels and the other way round; pass both.")
    train = as_split(np.asarray(train_images), np.asarray(train_labels), "training", size)
    splits = {"train": train}
    if test_images is not None:
        splits["test"] = as_split(np.asarray(test_images), np.asarray(test_labels), "test", size)
    names = checked_class_names(class_names, splits)
    fingerprint = content_fingerprint(names, splits)
    return Dataset(name, names, train, splits.get("test"), fingerprint)


def as_split(
    images: NDArray[Any],
    labels: NDArray[Any],
    what: str,
    size: ImageSize | int | tuple[int, int] | None = None,
) -> ImageSplit:
    """Return images and labels as a split has them; `what` names it in messages."""
    pixels, numbers = as_pixels(images, what), as_labels(labels, what)
    if len(pixels) != len(numbers) or not len(numbers):
        raise DataError(
            f"there are {len(pixels):,} {what} images but {len(numbers):,} {what} labels; each "
            "image needs one, and there must be some."
        )
    if size is not None:
        pixels = np.stack([fit_pixels(image, ImageSize.of(size)) for image in pixels])
    if max(pixels.shape[2:]) > MAX_SIDE:
        raise DataError(
            f"the {what} images have {pixels.shape[2]}x{pixels.shape[3]} pixels; they may be at "
            f"most {MAX_SIDE}x{MAX_SIDE}, so pass --size N to resize them."
        )
    return ImageSplit(pixels, numbers)


def as_pixels(images: NDArray[Any], what: str) -> NDArray[np.uint8]:
    """Return images as uint8, N×C×H×W, C 1 or 3.

    `images` is N×H×W, N×C×H×W or N×H×W×C (where both could be meant, N×C×H×W), whole numbers from 0
    to 255 or real numbers from 0 to 1. Raises DataError for other shapes and ranges.
    """
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] not in _CHANNELS and images.shape[3] in _CHANNELS:
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in _CHANNELS or not images.size:
        raise DataError(
            f"the {what} images are an array of {'x'.join(map(str, images.shape))}; expected "
            "NxHxW, NxCxHxW or NxHxWxC with 1 or 3 channels."
        )
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
    return np.rint(images * np.float64(255)).astype(np.uint8)


def as_labels(labels: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Return labels, N or N×1 whole numbers from 0 on, as int64; raises DataError."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"the {what} labels are an array of {'x'.join(map(str, labels.shape))} of type "
            f"{labels.dtype}; expected one whole number for each image."
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < 2**16:
        raise DataError(
            f"the {what} labels run from {labels.min()} to {labels.max()}; expected class numbers "
            "from 0 on."
        )
    return labels.astype(np.int64, copy=False)


def checked_class_names(
    class_names: Sequence[str] | None, splits: dict[str, ImageSplit]
) -> tuple[str, ...]:
    """Return one name per class after checking that all splits fit together; raises DataError."""
    shapes = {split.images.shape[1:] for split in splits.values()}
    if len(shapes) > 1:
        both = " and ".join("x".join(map(str, shape)) for shape in sorted(shapes))
        raise DataError(f"training and test images have {both} values; they must be alike.")
    num_classes = 1 + max(int(split.labels.max()) for split in splits.values())
    if class_names is None:
        return tuple(str(label) for label in range(num_classes))
    names = tuple(str(name) for name in class_names)
    if len(names) < num_classes or len(set(names)) < len(names):
        raise DataError(
            f"there are {len(set(names))} different class names but labels up to "
            f"{num_classes - 1}; name each class once."
        )
    return names

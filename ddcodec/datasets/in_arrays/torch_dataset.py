"""Take over a torch Dataset, without importing torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.in_arrays.array_labels import flat_numbers
from ddcodec.datasets.in_arrays.arrays import as_pixels, from_arrays
from ddcodec.datasets.trees.resize import ImageSize, fit_pixels
from ddcodec.errors import DataError


class SizedDataset(Protocol):
    """What is needed of a torch Dataset: a length, and pairs of image and label by number."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


def from_torch(
    train: SizedDataset,
    test: SizedDataset | None = None,
    class_names: Sequence[str] | None = None,
    *,
    name: str = "torch",
    size: ImageSize | int | tuple[int, int] | None = None,
) -> Dataset:
    """Return the images and labels of torch Datasets, read once into memory.

    Args:
        train: gives pairs of an image and a whole number. An image is a PIL image, or a tensor or
            array H×W, C×H×W or H×W×C with 1 or 3 channels, whole numbers from 0 to 255 or real
            numbers from 0 to 1. Random transforms are applied once; leave them out.
        test: likewise; None where there is none.
        class_names: one for each label; by default `train.classes`, as torchvision has it, or
            numbers.
        name: what to call the dataset.
        size: what to bring images to (`resize.fit`); without it all must have one size.

    Raises:
        DataError: if an item is something else; says which one.
    """
    fitted = None if size is None else ImageSize.of(size)
    splits = [_read(train, "training", fitted)]
    if test is not None:
        splits.append(_read(test, "test", fitted))
    if class_names is None:
        class_names = getattr(train, "classes", None)
    (images, labels), *rest = splits
    test_images, test_labels = rest[0] if rest else (None, None)
    return from_arrays(images, labels, test_images, test_labels, class_names=class_names, name=name)


def _read(
    source: SizedDataset, what: str, size: ImageSize | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read all items; returns images, uint8, N×C×H×W, and labels, N."""
    count = len(source)
    if not count:
        raise DataError(f"the {what} Dataset is empty; pass one with images.")
    images: NDArray[np.uint8] | None = None
    labels = np.empty(count, dtype=np.int64)
    for index in range(count):
        where = f"item {index} of the {what} Dataset"
        pixels, labels[index] = _item(source[index], where)
        if size is not None:
            pixels = fit_pixels(pixels, size)
        if images is None:
            images = np.empty((count, *pixels.shape), dtype=np.uint8)
        if pixels.shape != images.shape[1:]:
            shapes = ["x".join(map(str, shape)) for shape in (pixels.shape, images.shape[1:])]
            raise DataError(
                f"{where} has {shapes[0]} values but item 0 has {shapes[1]}; pass size= to resize "
                "all images to one size, or convert all to the same colours."
            )
        images[index] = pixels
    assert images is not None
    return images, labels


def _item(item: Any, where: str) -> tuple[NDArray[np.uint8], int]:
    """Return one item as uint8, C×H×W, and its label."""
    try:
        image, label = item
    except (TypeError, ValueError) as error:
        raise DataError(f"{where} is not a pair of image and label; wrap the Dataset.") from error
    if isinstance(image, Image.Image):
        image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    pixels = as_pixels(_array(image)[None], where)[0]
    number = flat_numbers(np.atleast_1d(_array(label)), where)
    if len(number) != 1:
        raise DataError(f"{where} has several labels; expected one whole number.")
    return pixels, int(number[0])


def _array(value: Any) -> NDArray[Any]:
    """Return a tensor, array, image or number as an array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value)

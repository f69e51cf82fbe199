"""How many images of each class a file holds.

Every class gets as many, or all it has (`equal`); or classes share in proportion to their training
images (`natural`), at least one each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddcodec.distill.recipe.recipe import LABELER_LABELS, NATURAL, Recipe
from ddcodec.errors import DataError


def default_images_per_class(bytes_per_class: float, pixel_bytes: int) -> int:
    """Return images per class for a budget; larger images get more bytes each."""
    size_factor: float = (pixel_bytes / 3072) ** 0.35
    # Below 10 kB more and cheaper images were better (docs/results/ablations.md).
    exponent = 0.4 if bytes_per_class < 10_000 else 0.3
    budget_factor: float = (bytes_per_class / 10_000) ** exponent
    bytes_per_image = 60 * budget_factor * size_factor
    return max(1, round(0.97 * bytes_per_class / float(bytes_per_image)))


def labelled_images_per_class(bytes_per_class: float, pixel_bytes: int) -> int:
    """Return images per class where a labeler labels them: fewer and sharper ones.

    Of images that take 64, 94 and 140 bytes, 7 kB per class in all, those of 94 taught best, and
    of 2 kB 95 were better than 65 (docs/results/labels.md); how that changes above and with the
    size of images is a guess.
    """
    size_factor: float = (pixel_bytes / 3072) ** 0.35
    budget_factor: float = max(1.0, bytes_per_class / 7000) ** 0.3
    bytes_per_image = 94 * budget_factor * size_factor
    return max(1, round(bytes_per_class / bytes_per_image))


def image_counts(
    recipe: Recipe, available: NDArray[np.int64], pixel_bytes: int
) -> NDArray[np.int64]:
    """Return the number of images of each class, int64.

    Args:
        recipe: says the mean, or leaves it to the budget, and the balance.
        available: training images of each class.
        pixel_bytes: of an image.

    Raises:
        DataError: if a class has fewer images than asked for.
    """
    wanted = recipe.images_per_class
    if recipe.balance == NATURAL:
        mean = wanted or _usual(recipe, pixel_bytes)
        shares = mean * len(available) * available / available.sum()
        shared: NDArray[np.int64] = np.maximum(np.rint(shares).astype(np.int64), 1)
        return np.minimum(shared, available)
    if wanted is None:
        return np.minimum(available, _usual(recipe, pixel_bytes))
    return fixed_counts(wanted, available)


def fixed_counts(images_per_class: int, available: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the same number for every class.

    Raises:
        DataError: if a class has fewer images.
    """
    smallest = int(available.argmin())
    if images_per_class > available[smallest]:
        raise DataError(
            f"{images_per_class} images per class are asked for, but class {smallest} has only "
            f"{available[smallest]} for training; lower --spc."
        )
    return np.full(len(available), images_per_class, dtype=np.int64)


def _usual(recipe: Recipe, pixel_bytes: int) -> int:
    labelled = recipe.labels == LABELER_LABELS
    per_class = labelled_images_per_class if labelled else default_images_per_class
    return per_class(recipe.bytes_per_class, pixel_bytes)

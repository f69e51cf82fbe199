"""How a budget is spent: images per class, decoder width, sharing of networks.

The rules are measured in docs/results.md; every choice can be overridden.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from ddcodec.budget import Budget
from ddcodec.codec.context import ContextModel
from ddcodec.codec.parameters import DETAIL_BITS
from ddcodec.codec.synthesis import Synthesis
from ddcodec.distill.recipe import Recipe
from ddcodec.errors import BudgetError, DataError

BITS_PER_WEIGHT = 6.0
"""Coded size of a network weight, for planning; measured on fitted files."""

SMALLEST_LATENT_BITS = 0.02
"""What a latent costs that is always as predicted, for planning the smallest file."""

FIXED_BYTES = 70
"""Container, header and coder overhead, for planning."""


@dataclass(frozen=True)
class Allocation:
    """The architecture and numbers of one file.

    Attributes:
        class_counts: images per class, int64.
        class_sets: network set of each class, int64.
        context: context model of every set.
        synthesis: upsampler and decoder of every set.
    """

    class_counts: NDArray[np.int64]
    class_sets: NDArray[np.int64]
    context: ContextModel
    synthesis: Synthesis

    @property
    def num_sets(self) -> int:
        """Sets of networks."""
        return len(set(self.class_sets.tolist()))

    @property
    def network_bytes(self) -> float:
        """Planned size of all networks in bytes."""
        shapes = self.context.tensor_shapes() | self.synthesis.tensor_shapes()
        weights = sum(int(np.prod(shape)) for shape in shapes.values())
        return self.num_sets * (weights * BITS_PER_WEIGHT + len(shapes) * DETAIL_BITS) / 8


def num_levels_for(height: int, width: int) -> int:
    """Return how many latent levels an image gets: down to about 1×1 from 32, 4×4 from 128."""
    smaller = max(min(height, width), 2)
    return min(smaller.bit_length(), 6)


def allocate(
    recipe: Recipe,
    available_counts: NDArray[np.int64],
    image_shape: tuple[int, int, int],
    names_bytes: int,
) -> Allocation:
    """Choose what the recipe leaves open and check that it fits the budget.

    Args:
        recipe: the run's settings.
        available_counts: training images of each class.
        image_shape: channels, height, width.
        names_bytes: planned size of the class names.

    Raises:
        BudgetError: if the networks alone exceed the budget; names the smallest possible one.
        DataError: if a class has fewer images than asked for.
    """
    channels, height, width = image_shape
    num_classes = len(available_counts)
    budget = Budget(recipe.bytes_per_class, num_classes)
    num_levels = num_levels_for(height, width)
    context = ContextModel(
        recipe.context_width, recipe.context_depth, num_levels, recipe.context == "coarser"
    )
    widths = recipe.synthesis or default_widths(budget.budget_bytes)
    allocation = Allocation(
        class_counts=_image_counts(recipe, available_counts, channels * height * width),
        class_sets=_class_sets(recipe, num_classes),
        context=context,
        synthesis=Synthesis(num_levels, widths, channels, height, width),
    )
    _check_fits(allocation, budget, names_bytes)
    return allocation


def default_images_per_class(bytes_per_class: float, pixel_bytes: int) -> int:
    """Return images per class for a budget; larger images get more bytes each."""
    size_factor: float = (pixel_bytes / 3072) ** 0.35
    budget_factor: float = (bytes_per_class / 1000) ** 0.2
    bytes_per_image = 58 * budget_factor * size_factor
    return max(1, round(0.9 * bytes_per_class / float(bytes_per_image)))


def default_widths(budget_bytes: int) -> tuple[int, ...]:
    """Return the decoder's hidden widths for a whole file."""
    if budget_bytes < 5_000:
        return (16,)
    if budget_bytes < 20_000:
        return (40,)
    if budget_bytes < 60_000:
        return (80,)
    return (160,)


def _image_counts(
    recipe: Recipe, available: NDArray[np.int64], pixel_bytes: int
) -> NDArray[np.int64]:
    if recipe.images_per_class is None:
        wanted = default_images_per_class(recipe.bytes_per_class, pixel_bytes)
        return np.minimum(available, wanted)
    smallest = int(available.argmin())
    if recipe.images_per_class > available[smallest]:
        raise DataError(
            f"{recipe.images_per_class} images per class are asked for, but class {smallest} has "
            f"only {available[smallest]} for training; lower --spc."
        )
    return np.full(len(available), recipe.images_per_class, dtype=np.int64)


def _class_sets(recipe: Recipe, num_classes: int) -> NDArray[np.int64]:
    share = recipe.share or "all"
    num_sets = {"class": num_classes, "groups": ceil(sqrt(num_classes)), "all": 1}[share]
    return np.arange(num_classes, dtype=np.int64) * num_sets // num_classes


def _check_fits(allocation: Allocation, budget: Budget, names_bytes: int) -> None:
    shapes = [
        allocation.synthesis.level_shape(level) for level in range(allocation.synthesis.num_levels)
    ]
    symbols = int(allocation.class_counts.sum()) * sum(rows * columns for rows, columns in shapes)
    smallest = FIXED_BYTES + names_bytes + allocation.network_bytes
    smallest += symbols * SMALLEST_LATENT_BITS / 8
    if smallest > budget.budget_bytes:
        per_class = ceil(smallest / budget.num_classes)
        raise BudgetError(
            f"A budget of {budget.bytes_per_class:g} bytes per class cannot hold these networks; "
            f"the smallest possible is about {per_class} bytes per class, or choose a smaller "
            "decoder, fewer images or --share all."
        )

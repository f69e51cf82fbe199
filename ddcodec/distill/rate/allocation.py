"""How a budget is spent: images per class, decoder width, sharing of networks.

The rules are measured in docs/results/ablations.md; every choice can be overridden.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from ddcodec.budget import Budget
from ddcodec.codec.context.context import CONTEXT_MODELS, ContextModel
from ddcodec.codec.parameters import DETAIL_BITS
from ddcodec.codec.pyramid.synthesis import PyramidSynthesis
from ddcodec.codec.synthesis import PYRAMID_FAMILY, Synthesis
from ddcodec.codec.wavelet.synthesis import WaveletSynthesis
from ddcodec.distill.rate.images_per_class import image_counts
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.errors import BudgetError
from ddcodec.format.planes import PYRAMID

BITS_PER_WEIGHT = 6.0
"""Coded size of a network weight, for planning; measured on fitted files."""

FULL_CHROMA_BYTES_PER_CLASS = 200_000
"""From here on colour components have a finest level too."""

FULL_CHROMA_BITS_PER_PIXEL = 3.0
"""And where so much is there for each pixel: the usual bits are a fifth of it."""

SMALL_NETWORK_BYTES = 700
"""What container and networks of a small file take, with every plane there is."""

FEWER = 0.8
"""Of the images per class, where a file with all of them would not fit, as often as need be."""

SMALLEST_LATENT_BITS = 0.01
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


def pyramid_levels(height: int, width: int) -> int:
    """Return how many levels a pyramid gets: down to about 1×1 from 32, 4×4 from 128."""
    smaller = max(min(height, width), 2)
    return min(smaller.bit_length(), 6)


def wavelet_levels(height: int, width: int) -> int:
    """Return how often a wavelet halves an image: down to about 1×1 from 32, 4×4 from 128."""
    smaller = max(min(height, width), 2)
    return min(smaller.bit_length() - 1, 5)


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
    counts = image_counts(recipe, available_counts, channels * height * width)
    while recipe.images_per_class is None and counts.max() > 1:
        planned = _planned(recipe, counts, image_shape, names_bytes)
        if _smallest_bytes(planned, names_bytes) <= _budget(recipe, counts).budget_bytes:
            break
        counts = np.minimum(counts, max(1, int(FEWER * counts.max())))
    return allocate_counts(recipe, counts, image_shape, names_bytes)


def allocate_counts(
    recipe: Recipe,
    counts: NDArray[np.int64],
    image_shape: tuple[int, int, int],
    names_bytes: int,
) -> Allocation:
    """Do the same for numbers of images per class that are settled; see `allocate`.

    Raises:
        BudgetError: if the networks alone exceed the budget; names the smallest possible one.
    """
    allocation = _planned(recipe, counts, image_shape, names_bytes)
    budget = _budget(recipe, counts)
    smallest = _smallest_bytes(allocation, names_bytes)
    if smallest > budget.budget_bytes:
        raise _too_small(recipe, budget, smallest)
    return allocation


def _budget(recipe: Recipe, counts: NDArray[np.int64]) -> Budget:
    return Budget(recipe.bytes_per_class, len(counts))


def _planned(
    recipe: Recipe,
    counts: NDArray[np.int64],
    image_shape: tuple[int, int, int],
    names_bytes: int,
) -> Allocation:
    """Return what a recipe comes to, with the smallest networks where the usual do not fit."""
    budget_bytes = _budget(recipe, counts).budget_bytes
    usual = _with_networks_for(budget_bytes, recipe, counts, image_shape)
    if _smallest_bytes(usual, names_bytes) <= budget_bytes:
        return usual
    return _with_networks_for(0, recipe, counts, image_shape)


def _with_networks_for(
    network_budget: int,
    recipe: Recipe,
    counts: NDArray[np.int64],
    image_shape: tuple[int, int, int],
) -> Allocation:
    """Return an allocation whose networks are those of a whole file of some size."""
    budget = _budget(recipe, counts)
    bytes_per_image = (budget.budget_bytes - SMALL_NETWORK_BYTES) / int(counts.sum())
    synthesis = _synthesis(recipe, network_budget, image_shape, bytes_per_image)
    context = ContextModel(
        _context_id(recipe, synthesis),
        recipe.context_width or default_context_width(network_budget),
        recipe.context_depth or default_context_depth(network_budget),
        synthesis.planes,
    )
    return Allocation(
        class_counts=counts,
        class_sets=_class_sets(recipe, len(counts)),
        context=context,
        synthesis=synthesis,
    )


def default_refinement(budget_bytes: int) -> tuple[int, ...]:
    """Return the hidden widths of the refinement for a whole file."""
    if budget_bytes < 20_000:
        return ()
    if budget_bytes < 60_000:
        return (8,)
    return (16,) if budget_bytes < 300_000 else (32,)


def default_context_width(budget_bytes: int) -> int:
    """Return the inputs of the context model for a whole file."""
    if budget_bytes < 3000:
        return 8
    return 16 if budget_bytes < 60_000 else 24


def default_context_depth(budget_bytes: int) -> int:
    """Return the hidden layers of the context model for a whole file."""
    return 1 if budget_bytes < 20_000 else 2


def _synthesis(
    recipe: Recipe,
    network_budget: int,
    image_shape: tuple[int, int, int],
    bytes_per_image: float,
) -> Synthesis:
    channels, height, width = image_shape
    choice = recipe.decoder
    if choice is not None and choice.family == PYRAMID_FAMILY:
        levels = pyramid_levels(height, width)
        return PyramidSynthesis(levels, choice.widths, channels, height, width)
    widths = default_refinement(network_budget) if choice is None else choice.widths
    # Where colour is that cheap, its finest details would be zeros that take time and no bits.
    is_cheap = recipe.bytes_per_class < FULL_CHROMA_BYTES_PER_CLASS
    is_poor = bytes_per_image < FULL_CHROMA_BITS_PER_PIXEL / 8 * height * width
    half_chroma = channels > 1 and is_cheap and is_poor
    levels = wavelet_levels(height, width)
    return WaveletSynthesis(levels, widths, channels, height, width, half_chroma)


def _context_id(recipe: Recipe, synthesis: Synthesis) -> int:
    if synthesis.synthesis_id != PYRAMID:
        return CONTEXT_MODELS["bands"]
    return CONTEXT_MODELS[recipe.context]


def _class_sets(recipe: Recipe, num_classes: int) -> NDArray[np.int64]:
    share = recipe.share or "all"
    num_sets = {"class": num_classes, "groups": ceil(sqrt(num_classes)), "all": 1}[share]
    return np.arange(num_classes, dtype=np.int64) * num_sets // num_classes


def _smallest_bytes(allocation: Allocation, names_bytes: int) -> float:
    """Return what a file takes in which every latent is as predicted."""
    per_image = sum(plane.size for plane in allocation.synthesis.planes)
    symbols = int(allocation.class_counts.sum()) * per_image
    latents = symbols * SMALLEST_LATENT_BITS / 8
    return FIXED_BYTES + names_bytes + allocation.network_bytes + latents


def _too_small(recipe: Recipe, budget: Budget, smallest: float) -> BudgetError:
    per_class = ceil(smallest / budget.num_classes)
    asked = {
        "a smaller decoder (--synthesis)": recipe.synthesis,
        "fewer images (--spc)": (recipe.images_per_class or 1) > 1,
        "--share all": recipe.share not in (None, "all"),
    }
    advice = "".join(f", or choose {what}" for what, is_asked in asked.items() if is_asked)
    return BudgetError(
        f"A budget of {budget.bytes_per_class:g} bytes per class is too small; the smallest "
        f"possible is about {per_class} bytes per class{advice}."
    )

"""Budget → images, decoder, sharing."""

import numpy as np
import pytest

from ddcodec.distill.rate.allocation import (
    allocate,
    default_images_per_class,
    labelled_images_per_class,
    pyramid_levels,
    wavelet_levels,
)
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.errors import BudgetError, DataError

PLENTY = np.full(10, 5000)


def test_levels_follow_the_smaller_side() -> None:
    """32 pixels get six levels down to 1×1; larger images stop at six; tiny ones have fewer."""
    assert [pyramid_levels(side, side) for side in (2, 8, 28, 32, 96, 128)] == [2, 4, 5, 6, 6, 6]
    assert pyramid_levels(1, 1) == 2
    assert [wavelet_levels(side, side) for side in (1, 2, 28, 32, 96, 128)] == [1, 1, 4, 5, 5, 5]


@pytest.mark.parametrize("budget", [500.0, 1e3, 3e3, 1e4, 1e5])
def test_larger_budgets_buy_more_images_and_better_ones(budget: float) -> None:
    """Images per class rise with the budget, and so do the bytes of each."""
    fewer, more = (default_images_per_class(size, 3072) for size in (budget, 2 * budget))
    assert fewer < more <= 2 * fewer


@pytest.mark.parametrize("budget", [500.0, 1e3, 3e3, 1e4, 1e5])
def test_a_labeler_has_fewer_and_sharper_images(budget: float) -> None:
    """Images that a labeler labels take half as many bytes again, as measured at 7 kB."""
    labelled = labelled_images_per_class(budget, 3072)
    assert 1 <= labelled <= 0.7 * default_images_per_class(budget, 3072)
    assert labelled_images_per_class(7000.0, 3072) == 74
    counts = allocate(Recipe(7e3, labels="labeler"), PLENTY, (3, 32, 32), names_bytes=0)
    assert counts.class_counts.tolist() == [74] * 10


def test_overrides_win() -> None:
    """Images, decoder and sharing asked for are what one gets."""
    recipe = Recipe(1e4, images_per_class=7, synthesis="40,20", share="groups")
    allocation = allocate(recipe, PLENTY, (3, 32, 32), names_bytes=0)
    assert allocation.class_counts.tolist() == [7] * 10
    assert allocation.synthesis.widths == (40, 20)
    assert allocation.class_sets.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    per_class = allocate(Recipe(1e4, share="class"), PLENTY, (3, 32, 32), names_bytes=0)
    assert per_class.class_sets.tolist() == list(range(10))


def test_small_classes_give_all_they_have() -> None:
    """A class with fewer images than the budget could hold is taken whole."""
    allocation = allocate(Recipe(1e4), np.array([3, 5000]), (3, 32, 32), names_bytes=0)
    assert allocation.class_counts[0] == 3 < allocation.class_counts[1]


def test_too_many_images_asked_for() -> None:
    """--spc over the size of a class names the class and its size."""
    with pytest.raises(DataError, match=r"class 0 has only 3"):
        allocate(Recipe(1e4, images_per_class=4), np.array([3, 9]), (3, 32, 32), names_bytes=0)


def test_budget_below_the_networks_names_the_smallest() -> None:
    """The error's smallest possible budget is one that is accepted."""
    with pytest.raises(BudgetError, match="smallest possible is about") as caught:
        allocate(Recipe(30.0), PLENTY, (3, 32, 32), names_bytes=0)
    smallest = float(str(caught.value).split("about ")[1].split(" ")[0])
    allocate(Recipe(smallest, images_per_class=1), PLENTY, (3, 32, 32), names_bytes=0)

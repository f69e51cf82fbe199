"""Budget → images, decoder, sharing."""

import numpy as np
import pytest

from ddcodec.distill.rate.allocation import (
    allocate,
    pyramid_levels,
    wavelet_levels,
)
from ddcodec.distill.rate.images_per_class import (
    default_images_per_class,
    labelled_images_per_class,
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


def test_natural_balance_keeps_proportions() -> None:
    """Classes share the images in proportion to what they have, one at least, all at most."""
    available = np.array([4000, 1000, 100, 2])
    recipe = Recipe(1e4, images_per_class=50, balance="natural")
    allocation = allocate(recipe, available, (3, 32, 32), names_bytes=0)
    assert allocation.class_counts.tolist() == [157, 39, 4, 1]
    usual = allocate(Recipe(1e4), PLENTY, (3, 32, 32), names_bytes=0).class_counts
    same = allocate(Recipe(1e4, balance="natural"), PLENTY, (3, 32, 32), names_bytes=0)
    assert np.array_equal(same.class_counts, usual)


def test_too_many_images_asked_for() -> None:
    """--spc over the size of a class names the class and its size."""
    with pytest.raises(DataError, match=r"class 0 has only 3"):
        allocate(Recipe(1e4, images_per_class=4), np.array([3, 9]), (3, 32, 32), names_bytes=0)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 128, 96)])
@pytest.mark.parametrize("classes", [2, 10, 200])
def test_the_smallest_budget_is_named_and_taken(shape: tuple[int, int, int], classes: int) -> None:
    """The error's smallest possible budget is accepted as it is, with as many images as fit."""
    plenty = np.full(classes, 5000)
    with pytest.raises(BudgetError, match="smallest possible is about") as caught:
        allocate(Recipe(0.2), plenty, shape, names_bytes=0)
    assert "choose" not in str(caught.value)
    smallest = float(str(caught.value).split("about ")[1].split(" ")[0])
    assert smallest * classes < 700 or classes > 10
    assert allocate(Recipe(smallest), plenty, shape, names_bytes=0).class_counts.min() >= 1
    with pytest.raises(BudgetError):
        allocate(Recipe(smallest - 1), plenty, shape, names_bytes=0)


def test_fewer_images_where_all_do_not_fit() -> None:
    """Images are as many as the budget holds, unless their number is asked for."""
    counts = [
        allocate(Recipe(budget), np.full(2, 5000), (3, 32, 32), names_bytes=0).class_counts[0]
        for budget in (131.0, 150.0, 200.0, 400.0)
    ]
    assert counts == sorted(counts) and 1 <= counts[0] < counts[-1] == 23
    with pytest.raises(BudgetError, match=r"or choose fewer images \(--spc\)"):
        allocate(Recipe(150.0, images_per_class=900), np.full(2, 5000), (3, 32, 32), names_bytes=0)
    with pytest.raises(
        BudgetError, match=r"a smaller decoder \(--synthesis\), or choose --share all"
    ):
        recipe = Recipe(150.0, synthesis="v3", share="class")
        allocate(recipe, np.full(2, 5000), (3, 32, 32), names_bytes=0)


def test_small_files_have_small_context_models() -> None:
    """What the context model takes stays a small part of the file."""
    found = {}
    for budget in (200.0, 500.0, 1000.0, 3000.0, 10_000.0):
        context = allocate(Recipe(budget), PLENTY, (3, 32, 32), names_bytes=0).context
        found[budget] = context.width, context.depth
    assert found == {
        200.0: (8, 1), 500.0: (16, 1), 1000.0: (16, 1), 3000.0: (16, 2), 10_000.0: (24, 2),
    }  # fmt: skip
    asked = Recipe(200.0, context_width=24, context_depth=3)
    context = allocate(asked, np.full(100, 50), (3, 32, 32), names_bytes=0).context
    assert (context.width, context.depth) == (24, 3)

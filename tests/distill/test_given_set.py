"""Given images are all coded, in the order of their classes, within the budget."""

from dataclasses import replace

import numpy as np
import pytest
from distill.tiny_dataset import tiny_dataset

from ddcodec.codec.decode import decode_bytes
from ddcodec.datasets import ImageSplit
from ddcodec.datasets.given_images import GivenImages
from ddcodec.distill.given_set import encode_given_images
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.errors import BudgetError, RecipeError

pytestmark = pytest.mark.long

RECIPE = Recipe(1000.0, loss="none", fit_steps=16, synthesis="wavelet")


def _given(*counts: int, has_names: bool = True) -> GivenImages:
    """Return the first images of two classes, mixed up."""
    dataset = tiny_dataset()
    labels = dataset.train.labels
    rows = np.concatenate([np.flatnonzero(labels == c)[:n] for c, n in enumerate(counts)])
    rows = rows[np.random.default_rng(1).permutation(len(rows))]
    split = ImageSplit(dataset.train.images[rows], labels[rows])
    return GivenImages(replace(dataset, train=split, test=None), has_names)


@pytest.mark.parametrize(
    ("parameterization", "counts"),
    [
        ("latents", (2, 7)),
        ("latents", (1, 1)),
        ("latents", (0, 3)),
        ("pixels", (1, 1)),
        ("pixels", (2, 7)),
        ("pixels", (0, 3)),
    ],
)
def test_exactly_the_given_images(parameterization: str, counts: tuple[int, int]) -> None:
    """One image a class, unequal classes, an empty one: all are there, and as good as claimed."""
    given = _given(*counts)
    budget = 1000.0 if parameterization == "latents" else 4000.0
    synthesis = None if parameterization == "pixels" else "wavelet"
    recipe = replace(
        RECIPE, bytes_per_class=budget, parameterization=parameterization, synthesis=synthesis
    )
    encoded = encode_given_images(given, recipe)
    data = encoded.distilled.encoded.data
    decoded = decode_bytes(data)
    order = np.argsort(given.dataset.train.labels, kind="stable")
    wanted = given.dataset.train.images[order]
    assert decoded.labels.tolist() == [0] * counts[0] + [1] * counts[1]
    assert decoded.class_names == ("across", "down")
    assert len(data) <= 2 * budget
    error = np.square(decoded.images.astype(float) - wanted).mean(axis=(1, 2, 3))
    if parameterization == "pixels":
        assert not error.any() and encoded.psnr == encoded.psnr_range[0] == np.inf
        return
    assert encoded.psnr == pytest.approx(10 * np.log10(255**2 / error.mean()))
    assert encoded.psnr_range[0] == pytest.approx(10 * np.log10(255**2 / error.max()))
    assert encoded.psnr > (25 if sum(counts) > 3 else 40)


def test_the_budget_is_used() -> None:
    """More images than the budget holds finely: the file has 97 to 100 per cent of it."""
    distilled = encode_given_images(_given(12, 9), replace(RECIPE, fit_steps=40)).distilled
    assert 1940 <= distilled.size_bytes <= 2000 and not distilled.is_below_floor


def test_the_source_decides_on_names_and_normalisation() -> None:
    """Where the source states mean and deviation, the file does; without names it has none."""
    given = replace(
        _given(2, 2, has_names=False), normalisation=((0.5, 0.25, 0.75), (0.25, 0.5, 0.125))
    )
    decoded = decode_bytes(encode_given_images(given, RECIPE).distilled.encoded.data)
    assert decoded.content.class_names in (None, ())
    assert decoded.header.mean == (128, 64, 192) and decoded.header.std == (64, 128, 32)


def test_budgets_that_are_too_small() -> None:
    """One sentence that says what would do."""
    with pytest.raises(BudgetError, match="smallest possible is about"):
        encode_given_images(_given(3, 3), replace(RECIPE, bytes_per_class=40.0))
    pixels = replace(RECIPE, parameterization="pixels", synthesis=None)
    with pytest.raises(BudgetError, match=r"20 images of pixels .* or fewer images\."):
        encode_given_images(_given(12, 8), pixels)


def test_other_recipes_are_refused() -> None:
    """There is nothing to optimise and nothing to choose."""
    for changes in ({"loss": "dm"}, {"images_per_class": 2}):
        with pytest.raises(RecipeError, match="coded as they are"):
            encode_given_images(_given(2, 2), replace(RECIPE, **changes))

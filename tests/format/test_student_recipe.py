"""Advice to students: numbers of the header by name, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.format.student_recipe import Hints, StudentRecipe


def test_literal_hints() -> None:
    """Ids and units are those of docs/format.md."""
    recipe = StudentRecipe(
        sgd_rate=0.02,
        renditions=8,
        updates=2500,
        batch_size=128,
        adamw_rate=0.003,
        cutmix=0.5,
        mixup=0.25,
        detail=8,
    )
    hints = ((1, 20_000), (2, 8), (3, 2500), (4, 128), (5, 3000), (6, 500), (7, 250), (8, 8))
    assert recipe.to_hints() == hints
    assert StudentRecipe.from_hints(hints) == recipe


def test_no_advice_takes_no_hint() -> None:
    """What is open or usual is not written."""
    assert StudentRecipe().to_hints() == ()
    assert StudentRecipe.from_hints(()) == StudentRecipe()


@pytest.mark.parametrize(
    "hints",
    [
        ((9, 3),),
        ((8, 17),),
        ((1 << 62, 0),),
        ((2, 0),),
        ((2, 65),),
        ((1, 0),),
        ((6, 1001),),
        ((5, 1 << 62),),
    ],
)  # fmt: skip
def test_unknown_and_senseless_hints_are_passed_over(hints: Hints) -> None:
    """A file with hints of a later release, or values out of range, advises nothing by them."""
    assert StudentRecipe.from_hints(hints) == StudentRecipe()


def test_the_first_sensible_one_counts() -> None:
    """Of several hints with an id the first in range is taken."""
    assert StudentRecipe.from_hints(((2, 0), (2, 4), (2, 5))).renditions == 4


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 1 << 40)), max_size=64))
def test_advice_survives(hints: list[tuple[int, int]]) -> None:
    """Whatever was read is written so that it reads the same."""
    recipe = StudentRecipe.from_hints(tuple(hints))
    assert StudentRecipe.from_hints(recipe.to_hints()) == recipe


def test_values_beyond_the_format_are_limited() -> None:
    """A rate too small to be written becomes the smallest one."""
    assert StudentRecipe(sgd_rate=1e-9).to_hints() == ((1, 1),)

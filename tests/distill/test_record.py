"""Records of runs: what is resolved, and what a repetition is compared with."""

from dataclasses import replace

import numpy as np
import pytest

from ddcodec.distill.rate.allocation import allocate
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.recipe.recipe_file import RecipeFile, Recorded
from ddcodec.distill.record import compare, resolved_recipe, surroundings
from ddcodec.errors import DataError

OPEN = Recipe(2000.0)


@pytest.mark.parametrize(
    "recipe",
    [
        OPEN,
        replace(OPEN, synthesis="v0", share="class"),
        replace(OPEN, share="groups", synthesis="wavelet-4"),
        replace(OPEN, bytes_per_class=250_000.0),
    ],
    ids=lambda recipe: f"{recipe.bytes_per_class:.0f} {recipe.synthesis} {recipe.share}",
)
@pytest.mark.parametrize("counts", [(90, 90, 90, 90, 90), (4, 90, 90, 90, 90)], ids=str)
def test_a_resolved_recipe_allocates_the_same(recipe: Recipe, counts: tuple[int, ...]) -> None:
    """Images, networks and sharing of the resolved recipe are those of the open one."""
    available, shape = np.array(counts), (3, 32, 32)
    first = allocate(recipe, available, shape, names_bytes=0)
    resolved = resolved_recipe(recipe, first)
    again = allocate(resolved, available, shape, names_bytes=0)
    assert np.array_equal(again.class_counts, first.class_counts)
    assert np.array_equal(again.class_sets, first.class_sets)
    assert (again.context, again.synthesis) == (first.context, first.synthesis)
    assert None not in (resolved.synthesis, resolved.share, resolved.context_width)
    assert resolved_recipe(resolved, again) == resolved


def test_a_search_is_resolved_into_what_it_found() -> None:
    """The record of a search names its networks, and repeats them without searching."""
    networks = {"synthesis": "wavelet-8", "context_width": 24, "context_depth": 2, "share": "class"}
    allocation = allocate(replace(OPEN, **networks), np.array([90, 90]), (3, 32, 32), names_bytes=0)
    resolved = resolved_recipe(replace(OPEN, synthesis="search"), allocation)
    assert {name: getattr(resolved, name) for name in networks} == networks


def test_images_per_class_are_what_there_is() -> None:
    """The wanted number, no more than a class has; open where classes differ."""
    shape = (3, 32, 32)
    for counts, expected in (((90, 90), 62), ((30, 30), 30), ((30, 90), None)):
        allocation = allocate(OPEN, np.array(counts), shape, names_bytes=0)
        assert resolved_recipe(OPEN, allocation).images_per_class == expected


def _file(**changes: object) -> RecipeFile:
    facts = {**surroundings("cpu"), **changes, "result": {}}
    return RecipeFile("x.ddc.json", recorded=Recorded("ab" * 32, facts))


def test_same_surroundings() -> None:
    """Nothing is said where nothing differs, and of recipes that record nothing."""
    assert compare(_file(), "ab" * 32, "cpu") is None
    assert compare(RecipeFile("mine.toml"), "cd" * 32, "cpu") is None


def test_other_surroundings() -> None:
    """Versions, threads and the like that differ are named in one sentence."""
    sentence = compare(_file(torch="2.0.1", threads=77), "ab" * 32, "cpu")
    assert sentence is not None and "\n" not in sentence
    here = surroundings("cpu")
    assert sentence == (
        f"'x.ddc.json' was recorded with torch 2.0.1 (here {here['torch']}), threads 77 (here "
        f"{here['threads']}); the file may come out different."
    )


def test_another_dataset() -> None:
    """A run is not repeated on other images."""
    with pytest.raises(DataError, match=r"another dataset \(fingerprint abababababab, here cdcd"):
        compare(_file(), "cd" * 32, "cpu")

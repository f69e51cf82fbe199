"""Settings are checked where they are made."""

import pytest

from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.errors import RecipeError


def test_unknown_setting_fails() -> None:
    """A misspelt key is an error that names it."""
    with pytest.raises(RecipeError, match="unknown setting 'imgs'"):
        Recipe.from_mapping({"bytes_per_class": 1e4, "imgs": 3})


def test_budget_is_required() -> None:
    """A recipe without a budget is an error."""
    with pytest.raises(RecipeError, match="budget"):
        Recipe.from_mapping({"loss": "dm"})


@pytest.mark.parametrize(
    "settings",
    [
        {"share": "some"},
        {"context": "gaussian"},
        {"init": "best"},
        {"parameterization": "voxels"},
        {"parameterization": "pixels", "synthesis": "wavelet"},
        {"images_per_class": 0},
        {"fit_steps": 0},
        {"joint_steps": 0},
        {"seed": -1},
        {"context_width": 7},
        {"context_depth": 0},
        {"context_depth": 9},
        {"loss": "tm"},
    ],
)
def test_values_out_of_range_fail(settings: dict[str, object]) -> None:
    """Each setting is checked."""
    with pytest.raises(RecipeError):
        Recipe.from_mapping({"bytes_per_class": 1e4, **settings})

"""Recipes that come with the package: `presets.toml`, a table for each."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from ddcodec.errors import RecipeError

_FILE = "presets.toml"
_HEADING = re.compile(r"^\[([\w-]+)\]\n", re.MULTILINE)


def preset_names() -> tuple[str, ...]:
    """Return the names of all presets in the order of the file."""
    return tuple(_presets())


def preset_toml(name: str) -> str:
    """Return a preset as the text of a recipe file, comments included.

    Raises:
        RecipeError: if there is none of that name; says which ones are near.
    """
    if name in _presets():
        return _presets()[name]
    near = get_close_matches(name, _presets(), n=3, cutoff=0.5)
    what = f"near ones: {', '.join(near)}; " if near else ""
    raise RecipeError(
        f"There is no preset '{name}'; {what}'ddc recipes' lists all, and recipes in files end "
        "in .toml, or .json where a run was recorded."
    )


@cache
def _presets() -> dict[str, str]:
    text = files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    # Every table by itself is a recipe file; cutting the text keeps the comments.
    _, *parts = _HEADING.split(text)
    return {name: body.strip() + "\n" for name, body in zip(parts[::2], parts[1::2], strict=True)}

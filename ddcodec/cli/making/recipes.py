"""`ddc recipes`, and what a recipe and the command line together ask of `ddc distill`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ddcodec.budget import parse_bytes
from ddcodec.cli.shared.console import print_table
from ddcodec.cli.shared.options import Size

if TYPE_CHECKING:
    from ddcodec.distill.recipe.recipe import Recipe
    from ddcodec.distill.recipe.recipe_file import RecipeFile


@click.command("recipes")
@click.argument("name", required=False)
def recipes_command(name: str | None) -> None:
    """List the presets of `ddc distill --recipe`, or print the one called NAME.

    What is printed is a recipe: `ddc recipes cifar10-10k > mine.toml` starts one of your own.
    """
    from ddcodec.distill.recipe.presets import preset_names, preset_toml
    from ddcodec.distill.recipe.recipe_file import read_recipe

    if name is not None:
        print(preset_toml(name), end="")
        return
    rows = []
    for preset in preset_names():
        recipe = read_recipe(preset)
        num_bytes = None if recipe.budget is None else parse_bytes(recipe.budget)
        settings = ", ".join(f"{key} = {value}" for key, value in recipe.settings.items())
        rows.append(
            (
                preset,
                recipe.dataset or "any",
                settings or "defaults",
                "any" if num_bytes is None else f"{num_bytes:,.12g}",
                "any" if num_bytes is None else f"{8 * num_bytes:,.12g}",
            )
        )
    columns = ("name", "dataset", "settings", "bytes per class", "bits per class")
    print_table(columns, rows, left=3)


@dataclass(frozen=True)
class Request:
    """A run as recipe and command line together ask for it.

    Attributes:
        dataset, data, size: as for `load_dataset`.
        budget: per class.
        settings: fields of `Recipe` other than the budget, by name.
        recipe: where they came from, if they did.
    """

    dataset: str
    data: str | None
    budget: Size
    settings: dict[str, Any]
    recipe: RecipeFile
    size: str | None = None

    def asked(self) -> Recipe:
        """Return the recipe that budget and settings make.

        Raises:
            RecipeError: if they contradict each other.
        """
        from ddcodec.distill.recipe.recipe import Recipe

        return Recipe.from_mapping({**self.settings, "bytes_per_class": self.budget.num_bytes})


def read_request(context: click.Context, source: str | None, settings: dict[str, Any]) -> Request:
    """Take what the command line leaves open from a recipe.

    Args:
        context: of `ddc distill`; has DATASET, --data, --size and --bpc.
        source: a file or the name of a preset, or None.
        settings: fields of `Recipe` as the command line has them, defaults included.

    Raises:
        DdcError: if the recipe cannot be used.
        click.UsageError: if neither names a dataset or a budget.
    """
    from ddcodec.distill.recipe.recipe import Recipe
    from ddcodec.distill.recipe.recipe_file import RecipeFile, read_recipe

    recipe = RecipeFile("") if source is None else read_recipe(source)
    given = {name: value for name, value in settings.items() if _is_explicit(context, name)}
    taken = dict(recipe.settings)
    if "loss" in given and given["loss"] != taken.get("loss", Recipe.loss):
        # Options of one loss are unknown to another.
        taken.pop("loss_options", None)
    options = {**taken.get("loss_options", {}), **given.get("loss_options", {})}
    dataset = context.params["dataset"] or recipe.dataset
    data, size = context.params["data"], context.params["size"]
    if dataset == recipe.dataset:
        data = recipe.data if data is None else data
        size = recipe.size if size is None else size
    budget: Size | None = context.params["budget"]
    if budget is None and recipe.budget is not None:
        budget = Size(recipe.budget, parse_bytes(recipe.budget))
    names_none = f"and '{source}' names none" if source else "and no --recipe names one"
    if dataset is None:
        raise click.UsageError(f"Missing argument 'DATASET', {names_none}.", context)
    if budget is None:
        raise click.UsageError(f"Missing option '--bpc', {names_none}.", context)
    asked = {**settings, **taken, **given, "loss_options": options}
    if asked["labels"] == "labeler" and "loss" not in given and "loss" not in taken:
        # Losses match classes, which a labeler's images need not show (docs/results/labels.md).
        asked["loss"] = "none"
    return Request(dataset, data, budget, asked, recipe, size)


def _is_explicit(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) not in (None, ParameterSource.DEFAULT)

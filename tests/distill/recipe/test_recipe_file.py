"""Recipes on disk: what is read, what is refused, and that presets and examples are sound."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Literal, get_type_hints

import pytest

from ddcodec.budget import parse_bytes
from ddcodec.distill.recipe.presets import preset_names, preset_toml
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.recipe.recipe_file import (
    RecipeFile,
    Recorded,
    describe,
    fits,
    read_recipe,
    short_size,
)
from ddcodec.errors import DataError, DdcError, RecipeError
from ddcodec.kept.seal import sealed_json

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "recipes").glob("*.toml"))


def _read(folder: Path, text: str, name: str = "mine.toml") -> RecipeFile:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_recipe(str(path))


def _recipe_of(file: RecipeFile) -> Recipe:
    assert file.budget is not None
    settings = {**file.settings, "bytes_per_class": parse_bytes(file.budget)}
    return Recipe.from_mapping(settings)


def test_toml(tmp_path: Path) -> None:
    """Dataset, data, budget and settings are read; what is left open stays open."""
    text = 'dataset = "pets"\ndata = "p.zip"\nbpc = "13k"\nseed = 3\n[loss_options]\na = 1.5\n'
    file = _read(tmp_path, text)
    assert (file.dataset, file.data, file.budget) == ("pets", "p.zip", "13k")
    assert file.settings == {"seed": 3, "loss_options": {"a": 1.5}}
    assert file.recorded is None
    empty = _read(tmp_path, "")
    assert (empty.dataset, empty.data, empty.budget, empty.settings) == (None, None, None, {})


@pytest.mark.parametrize(
    ("line", "budget"),
    [
        ('bpc = "80kbit"', "80kbit"),
        ("bpc = 640", "640"),
        ("bytes_per_class = 13375", "13.375k"),
        ("bytes_per_class = 1e4", "10k"),
        ("bytes_per_class = 3112.5", "3.1125k"),
    ],
)
def test_budgets(tmp_path: Path, line: str, budget: str) -> None:
    """The budget is kept as --bpc would read it."""
    assert _read(tmp_path, line).budget == budget


@pytest.mark.parametrize("size", [0.5, 640.0, 999.9, 1000.0, 12345.678, 1e6 / 3, 2.0**40, 1e200])
def test_short_sizes_lose_nothing(size: float) -> None:
    """A recorded budget comes back exactly."""
    assert parse_bytes(short_size(size)) == size


def test_record(tmp_path: Path) -> None:
    """A record says what is to be repeated, on which data and under what."""
    record = {
        "torch": "2.0",
        "dataset": {"name": "pets", "data": None, "fingerprint": "ab12"},
        "recipe": {"bytes_per_class": 500.0, "seed": 3, "experts": None},
        "result": {"size_bytes": 999},
    }
    file = _read(tmp_path, json.dumps(record), "x.ddc.json")
    assert (file.dataset, file.data, file.budget) == ("pets", None, "500")
    assert file.settings == {"seed": 3, "experts": None}
    assert file.recorded == Recorded("ab12", {"torch": "2.0", "result": {"size_bytes": 999}})
    record["dataset"] = {"name": "pets", "data": "p.zip", "fingerprint": "ab12"}
    assert _read(tmp_path, json.dumps(record), "x.ddc.json").data == "p.zip"


def test_a_record_with_another_digit(tmp_path: Path) -> None:
    """What carries a checksum is compared with it, and read once that line is out."""
    record = {
        "dataset": {"name": "pets", "data": None, "fingerprint": "ab12"},
        "recipe": {"bytes_per_class": 500.0, "seed": 3},
    }
    text = sealed_json(record).decode()
    assert _read(tmp_path, text, "x.ddc.json").recorded == Recorded("ab12", {})
    with pytest.raises(RecipeError, match=r"its checksum is not .* remove its line 'sha256'"):
        _read(tmp_path, text.replace("3", "4", 1), "x.ddc.json")


def test_preset_for_any_dataset() -> None:
    """One says how, and leaves what and how large to the command line."""
    file = read_recipe("staged")
    assert (file.dataset, file.budget) == (None, None)
    recipe = Recipe(1000.0, **file.settings)
    assert (recipe.init, recipe.teacher, recipe.loss) == ("crops", "auto", "none")
    assert recipe.labels == "labeler" and recipe.needs_teacher


@pytest.mark.parametrize("name", [name for name in preset_names() if name != "staged"])
def test_presets(name: str) -> None:
    """Each has a dataset and the budget of its name, and its settings make a recipe."""
    file = read_recipe(name)
    dataset, _, thousands = name.rpartition("-")
    assert file.dataset == dataset
    assert round(_recipe_of(file).bytes_per_class / 1000) == int(thousands.removesuffix("k"))
    assert preset_toml(name).startswith("# "), "where its budget comes from"


def test_published_budgets() -> None:
    """The bits per class of four points of arXiv 2507.17221 are met to the bit."""
    bits = {"cifar10-13k": 107_000, "cifar100-9k": 69_000, "imagenette128-9k": 72_000}
    for name, expected in bits.items():
        assert 8 * _recipe_of(read_recipe(name)).bytes_per_class == expected


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples(path: Path) -> None:
    """Examples are recipes of the dataset and budget they are named after, and say how to run."""
    file = read_recipe(str(path))
    dataset, thousands, *_ = path.stem.split("-")
    assert file.dataset == dataset
    # Budgets of published points, 150,000 bits and 13.0 KiB, whose presets have the same names.
    exact = {"imagenette128-19k": 18_750, "cifar10-13k": 13_312}
    expected = exact.get(f"{dataset}-{thousands}", 1000 * int(thousands.removesuffix("k")))
    assert _recipe_of(file).bytes_per_class == expected
    assert path.read_text().startswith(f"# ddc distill --recipe examples/recipes/{path.name}")


def test_options_of_a_loss() -> None:
    """An example hands its loss the weight it names."""
    file = read_recipe(str(next(path for path in EXAMPLES if path.name == "cifar10-10k-dm.toml")))
    assert file.settings["loss_options"] == {"cross_entropy": 10}


def test_unknown_presets() -> None:
    """The sentence names near ones, and says what is a file."""
    with pytest.raises(RecipeError, match=r"near ones: .*cifar10-13k"):
        read_recipe("cifar10-12k")
    with pytest.raises(RecipeError, match=r"preset 'nonsense'; 'ddc recipes' lists all"):
        read_recipe("nonsense")


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("bpc = \n", "is not TOML: .*line 1"),
        ("imgs = 3", "nknown setting 'imgs' .*bytes_per_class.*dataset.*seed"),
        ("[recipe]\nseed = 3", "nknown setting 'recipe'"),
        ('bpc = "1k"\nbytes_per_class = 1000', "are the same"),
        ('bpc = "10q"', "'10q' is not a size"),
        ("bpc = true", "'bpc' .* is true; it must be text or a number"),
        ("bytes_per_class = 0", "no room"),
        ("bytes_per_class = -1", "not a size"),
        ("bytes_per_class = inf", "must be a number"),
        ("dataset = 3", "'dataset' .* must be text"),
        ("seed = 1.0", "'seed' .* is 1.0; it must be a whole number"),
        ("seed = true", "'seed' .* must be a whole number"),
        ("keep_class_names = 1", "must be true or false"),
        ('images_per_class = "3"', "must be a whole number"),
        ('loss_options = {a = "b"}', "each value is a number"),
        ("share = 1979-05-27", "'share' .* must be text"),
    ],
)
def test_wrong_recipes(tmp_path: Path, text: str, pattern: str) -> None:
    """Each mistake gets a sentence that names the file."""
    with pytest.raises(RecipeError, match=pattern) as caught:
        _read(tmp_path, text)
    assert "mine.toml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"recipe": {}}', '{"recipe": {}, "dataset": {"name": "pets"}}',
     '{"recipe": [], "dataset": {"name": "pets", "fingerprint": "a"}}', "[" * 100_000],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_files_that_are_no_record(tmp_path: Path, text: str) -> None:
    """JSON of another kind, or none, is refused."""
    with pytest.raises(RecipeError, match="is not a record"):
        _read(tmp_path, text, "x.ddc.json")


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_files_that_cannot_be_read(tmp_path: Path, suffix: str) -> None:
    """Missing files, folders and pictures are refused."""
    with pytest.raises(DataError, match="No such file"):
        read_recipe(str(tmp_path / f"none{suffix}"))
    with pytest.raises(DataError, match="Cannot read"):
        read_recipe(f"a\0b{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(DdcError, match="Cannot read"):
        read_recipe(str(tmp_path / f"folder{suffix}"))
    (tmp_path / f"picture{suffix}").write_bytes(b"\x89PNG")
    with pytest.raises(RecipeError, match="is not text"):
        read_recipe(str(tmp_path / f"picture{suffix}"))


def test_every_setting_has_a_type_that_is_checked() -> None:
    """No field of the recipe has a type without a rule, and each default fits its own."""
    hints = get_type_hints(Recipe)
    recipe = Recipe(bytes_per_class=1.0)
    for setting in fields(Recipe):
        hint = hints[setting.name]
        assert fits(getattr(recipe, setting.name), hint), setting.name
        assert not fits(object(), hint) and describe(hint)


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, float, True), (True, float, False), (float("nan"), float, False),
        (10**400, float, False), (None, float | None, True), ("a", Literal["a", "b"], True),
        ("c", Literal["a", "b"], False), ({"a": 1}, Mapping[str, float], True),
        ({"a": "b"}, Mapping[str, float], False), (None, int, False),
    ],
)  # fmt: skip
def test_types(value: object, hint: object, expected: bool) -> None:
    """Values are checked against annotations."""
    assert fits(value, hint) is expected


def test_type_without_a_rule() -> None:
    """A new kind of annotation needs a rule; nothing passes unchecked."""
    with pytest.raises(TypeError, match="no rule"):
        fits("a", bytes)

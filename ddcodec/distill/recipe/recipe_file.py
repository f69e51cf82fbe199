"""Recipes on disk: TOML of one's own, presets, and the records of earlier runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ddcodec.budget import parse_bytes
from ddcodec.distill.recipe.presets import preset_toml
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.errors import BudgetError, DataError, RecipeError
from ddcodec.kept.seal import CHECKSUM, ChecksumError, checked_json

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOML_SUFFIX, RECORD_SUFFIX = ".toml", ".json"

_BUDGET = "bytes_per_class"
_WHERE = ("dataset", "data", "size", "bpc")
"""What a recipe may say besides the fields of `Recipe`."""


@dataclass(frozen=True)
class Recorded:
    """What a repeated run has to agree with.

    Attributes:
        fingerprint: of the dataset.
        facts: versions and the machine, by the names of `record.surroundings`.
    """

    fingerprint: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class RecipeFile:
    """What a recipe says; everything may be left open.

    Attributes:
        source: its path or the name of a preset.
        dataset: a name or path as for `load_dataset`.
        data: folder or archive that holds the dataset.
        size: what images are brought to, such as `128` or `96x128`.
        budget: bytes per class as written, such as `13k`.
        settings: fields of `Recipe` other than the budget, by name.
        recorded: for the record of an earlier run.
    """

    source: str
    dataset: str | None = None
    data: str | None = None
    budget: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    recorded: Recorded | None = None
    size: str | None = None


_LARGEST = 1e300
"""Numbers are smaller; this also keeps out what is infinite or no number."""


def read_recipe(source: str) -> RecipeFile:
    """Read a recipe: a file that ends in .toml, a record that ends in .json, or a preset's name.

    Raises:
        DataError: if the file cannot be read.
        RecipeError: if it is no recipe, a key is unknown or a value of the wrong type.
    """
    suffix = Path(source).suffix.lower()
    if suffix == RECORD_SUFFIX:
        return _read_record(source)
    text = _read_text(source) if suffix == TOML_SUFFIX else preset_toml(source)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"'{source}' is not TOML: {error}; mend it.") from error
    return _from_table(source, table)


def _read_record(source: str) -> RecipeFile:
    strange = RecipeError(
        f"'{source}' is not a record; name a .ddc.json written by 'ddc distill --record'."
    )
    try:
        record = checked_json(_read_text(source).encode())
    except ChecksumError as error:
        raise RecipeError(
            f"'{source}' is damaged: its checksum is not that of its content; take another copy, "
            f"or remove its line '{CHECKSUM}' if you changed it yourself."
        ) from error
    except (ValueError, RecursionError) as error:
        raise strange from error
    dataset, settings = record.pop("dataset", None), record.pop("recipe", None)
    if not isinstance(dataset, dict) or not isinstance(settings, dict):
        raise strange
    fingerprint = dataset.get("fingerprint")
    if not isinstance(fingerprint, str) or not isinstance(dataset.get("name"), str):
        raise strange
    where = {"dataset": dataset["name"]}
    where |= {key: dataset[key] for key in ("data", "size") if dataset.get(key) is not None}
    return _from_table(source, settings | where, Recorded(fingerprint, record))


def _read_text(source: str) -> str:
    try:
        return Path(source).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"'{source}' is not text; name a recipe.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a path"
        raise DataError(f"Cannot read the recipe '{source}': {reason}.") from error


def _from_table(
    source: str, table: Mapping[str, Any], recorded: Recorded | None = None
) -> RecipeFile:
    where = {"dataset": str, "data": str, "size": str | int, "bpc": str | float}
    hints = {**get_type_hints(Recipe), **where}
    known = [*_WHERE, *(setting.name for setting in fields(Recipe))]
    for name, value in table.items():
        if name not in known:
            raise RecipeError(
                f"Unknown setting '{name}' in '{source}'; known: {', '.join(sorted(known))}."
            )
        if not fits(value, hints[name]):
            raise RecipeError(
                f"'{name}' in '{source}' is {_shown(value)}; it must be {describe(hints[name])}."
            )
    settings = {name: value for name, value in table.items() if name not in (*_WHERE, _BUDGET)}
    dataset, data = table.get("dataset"), table.get("data")
    size = str(table["size"]) if "size" in table else None
    return RecipeFile(source, dataset, data, _budget(source, table), settings, recorded, size)


def _budget(source: str, table: Mapping[str, Any]) -> str | None:
    given = [name for name in ("bpc", _BUDGET) if name in table]
    if len(given) == 2:
        raise RecipeError(f"'{source}' names bpc and {_BUDGET}, which are the same; keep one.")
    if not given:
        return None
    value = table[given[0]]
    if not isinstance(value, str):
        value = short_size(value)
    try:
        parse_bytes(value)
    except BudgetError as error:
        raise RecipeError(f"In '{source}': {error}") from error
    return str(value)


def short_size(num_bytes: float) -> str:
    """Write bytes as `--bpc` reads them, such as `13.375k` or `640`, without loss."""
    thousands = f"{num_bytes / 1000:.6f}".rstrip("0").rstrip(".") + "k"
    if num_bytes >= 1000 and parse_bytes(thousands) == num_bytes:
        return thousands
    return repr(num_bytes).removesuffix(".0")


def fits(value: object, hint: Any) -> bool:
    """Tell whether a value read from a file is of an annotated type.

    Raises:
        TypeError: if there is no rule for the annotation.
    """
    inner = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(fits(value, part) for part in inner)
    if get_origin(hint) is Literal:
        return value in inner
    if get_origin(hint) in (Mapping, dict):
        return isinstance(value, dict) and all(fits(part, inner[1]) for part in value.values())
    if hint is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and abs(value) < _LARGEST  # type: ignore[arg-type]
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool, NoneType):
        return isinstance(value, hint)
    raise TypeError(f"no rule for {hint}")


_DESCRIPTIONS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def describe(hint: Any) -> str:
    """Say in words what `fits` an annotation."""
    inner = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(describe(part) for part in inner if part is not NoneType)
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if get_origin(hint) in (Mapping, dict):
        return f"a table in which each value is {describe(inner[1])}"
    return _DESCRIPTIONS[hint]


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:40]}…"

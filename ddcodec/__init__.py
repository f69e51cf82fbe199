"""Synthetic training sets as one arithmetic-coded file.

The names below are imported on first use, so that `import ddcodec` costs nothing:

    import ddcodec
    training_set = ddcodec.load("cifar10-10k.ddc")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ddcodec.version import __version__

if TYPE_CHECKING:
    from ddcodec.codec.decode import DecodedFile, decode_bytes
    from ddcodec.datasets import load_dataset
    from ddcodec.distill.distill import distill as distill_dataset
    from ddcodec.distill.recipe.recipe import Recipe
    from ddcodec.distill.running.distilled import Distilled
    from ddcodec.errors import (
        BudgetError,
        DataError,
        DdcError,
        FormatError,
        OutputError,
        RecipeError,
    )
    from ddcodec.evaluation import evaluate
    from ddcodec.format.limits import DecodeLimits
    from ddcodec.results.inspection import Inspection, inspect_file
    from ddcodec.training_set import TrainingSet, load

_HOMES = {
    "BudgetError": "ddcodec.errors",
    "DataError": "ddcodec.errors",
    "DdcError": "ddcodec.errors",
    "DecodeLimits": "ddcodec.format.limits",
    "DecodedFile": "ddcodec.codec.decode",
    "Distilled": "ddcodec.distill.running.distilled",
    "FormatError": "ddcodec.errors",
    "Inspection": "ddcodec.results.inspection",
    "OutputError": "ddcodec.errors",
    "Recipe": "ddcodec.distill.recipe.recipe",
    "RecipeError": "ddcodec.errors",
    "TrainingSet": "ddcodec.training_set",
    "decode_bytes": "ddcodec.codec.decode",
    # `ddcodec.distill` is a package, and stays one whatever was imported first.
    "distill_dataset": "ddcodec.distill.distill:distill",
    "evaluate": "ddcodec.evaluation",
    "inspect_file": "ddcodec.results.inspection",
    "load": "ddcodec.training_set",
    "load_dataset": "ddcodec.datasets",
}

__all__ = [
    "BudgetError",
    "DataError",
    "DdcError",
    "DecodeLimits",
    "DecodedFile",
    "Distilled",
    "FormatError",
    "Inspection",
    "OutputError",
    "Recipe",
    "RecipeError",
    "TrainingSet",
    "__version__",
    "decode_bytes",
    "distill_dataset",
    "evaluate",
    "inspect_file",
    "load",
    "load_dataset",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ddcodec' has no attribute '{name}'")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

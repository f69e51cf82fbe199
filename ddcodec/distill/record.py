"""The record of a run beside its file: everything needed to make the same bytes again."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ddcodec.budget import bits_per_class
from ddcodec.codec.synthesis import PYRAMID_FAMILY, WAVELET_FAMILY, DecoderChoice
from ddcodec.distill.rate.allocation import Allocation
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.recipe.recipe_file import RecipeFile
from ddcodec.errors import DataError
from ddcodec.format.planes import PYRAMID, WAVELET, WAVELET_HALF_CHROMA
from ddcodec.kept.seal import sealed_json
from ddcodec.version import __version__

if TYPE_CHECKING:
    from ddcodec.distill.running.distilled import Distilled

_FAMILIES = {
    PYRAMID: PYRAMID_FAMILY,
    WAVELET: WAVELET_FAMILY,
    WAVELET_HALF_CHROMA: WAVELET_FAMILY,
}
"""Decoders that a recipe names and that have networks to share."""

_SHORT = 12
"""Digits of a fingerprint that are shown."""


@dataclass(frozen=True)
class DatasetOrigin:
    """Where a dataset came from.

    Attributes:
        name: as given.
        data: as given, or None.
        fingerprint: of its content.
        size: as given, or None.
    """

    name: str
    data: str | None
    fingerprint: str
    size: str | None = None


def record_json(origin: DatasetOrigin, recipe: Recipe, distilled: Distilled) -> bytes:
    """Return the record of a finished run as sealed JSON that `read_recipe` takes."""
    data = distilled.encoded.data
    record = {
        **surroundings(recipe.device),
        "dataset": asdict(origin),
        "asked": asdict(recipe),
        "recipe": asdict(_with_steps(resolved_recipe(recipe, distilled.allocation), distilled)),
        "result": {
            "size_bytes": len(data),
            "bits_per_class": bits_per_class(len(data), distilled.budget.num_classes),
            "sha256": hashlib.sha256(data).hexdigest(),
            "seconds": round(distilled.seconds, 3),
        },
    }
    if distilled.trials:
        record["search"] = list(distilled.trials)
    return sealed_json(record)


def resolved_recipe(recipe: Recipe, allocation: Allocation) -> Recipe:
    """Return a recipe with what it left to the budget filled in.

    What stays None follows from the dataset alone: images per class where classes have different
    numbers, because some have fewer images than wanted, and steps of the first fit.
    """
    synthesis, counts = allocation.synthesis, set(allocation.class_counts.tolist())
    found: dict[str, Any] = {
        "images_per_class": counts.pop() if len(counts) == 1 else recipe.images_per_class,
        "context_width": allocation.context.width,
        "context_depth": allocation.context.depth,
    }
    family = _FAMILIES.get(synthesis.synthesis_id)
    if family is not None:
        shares = {1: "all", len(allocation.class_counts): "class"}
        found["synthesis"] = str(DecoderChoice(family, synthesis.widths))
        found["share"] = recipe.share or shares.get(allocation.num_sets, "groups")
    # All at once: a search and what it found exclude each other.
    return replace(recipe, **found)


def _with_steps(recipe: Recipe, distilled: Distilled) -> Recipe:
    """Return a recipe with the numbers of steps in place of the time they were fitted to."""
    is_wavelet = distilled.allocation.synthesis.synthesis_id != PYRAMID
    if recipe.time_seconds is None or not is_wavelet:
        # The start of a pyramid has no number of its own.
        return recipe
    counts = distilled.step_counts
    return replace(
        recipe,
        time_seconds=None,
        fit_steps=counts.get("fit", recipe.fit_steps),
        joint_steps=counts.get("joint", recipe.joint_steps),
    )


def surroundings(device: str) -> dict[str, Any]:
    """Return versions and facts of the machine that the bytes of a file may depend on."""
    facts: dict[str, Any] = {
        "ddcodec": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "constriction": _constriction_version(),
        "python": platform.python_version(),
        # Sums of floats depend on how many threads share them, and on the instructions used.
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }
    if device != "cpu":
        facts["gpu"] = torch.cuda.get_device_name(device)
    return facts


def compare(recipe: RecipeFile, fingerprint: str, device: str) -> str | None:
    """Compare a run about to start with the recorded one it repeats, if it repeats one.

    Returns:
        A sentence on what of `surroundings` is not as it was recorded, or None.

    Raises:
        DataError: if the dataset is not the recorded one.
    """
    recorded = recipe.recorded
    if recorded is None:
        return None
    if recorded.fingerprint != fingerprint:
        raise DataError(
            f"'{recipe.source}' is the record of another dataset (fingerprint "
            f"{recorded.fingerprint[:_SHORT]}, here {fingerprint[:_SHORT]}); name the one it was "
            "made of with --data, or copy its settings to a recipe that ends in .toml."
        )
    changes = [
        f"{name} {recorded.facts.get(name, 'unknown')} (here {value})"
        for name, value in surroundings(device).items()
        if recorded.facts.get(name) != value
    ]
    if not changes:
        return None
    return (
        f"'{recipe.source}' was recorded with {', '.join(changes)}; the file may come out "
        "different."
    )


def _constriction_version() -> str:
    try:
        return version("constriction")
    except PackageNotFoundError:
        return "unknown"

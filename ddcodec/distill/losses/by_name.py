"""Find a loss by the name a user typed: an entry of `LOSSES`, or a class of their own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import Pixels
from ddcodec.distill.losses.base import DistillationLoss, LossBuilder, LossSettings
from ddcodec.errors import DdcError, RecipeError

SEPARATOR = ":"


def find_loss(name: str, losses: Mapping[str, LossBuilder]) -> LossBuilder:
    """Return the class of a loss without building it.

    Args:
        name: A key of `losses`, or `module:Class`; modules of the current folder are found.
        losses: The package's own.

    Raises:
        RecipeError: There is no such loss, or the user's module or class cannot be had.
    """
    if name in losses:
        return losses[name]
    module_name, separator, class_name = name.partition(SEPARATOR)
    if not separator:
        raise RecipeError(
            f"unknown loss '{name}'; choose none, {', '.join(losses)}, or module:Class for your "
            "own."
        )
    if not module_name or not class_name:
        raise RecipeError(f"'{name}' names no class; write module:Class, such as my_loss:MyLoss.")
    found = getattr(_module(module_name), class_name, None)
    if not isinstance(found, type):
        raise RecipeError(f"The module '{module_name}' has no class '{class_name}'.")
    return cast(LossBuilder, found)


def build_loss(
    builder: LossBuilder,
    real_images: Pixels,
    real_labels: NDArray[np.integer],
    settings: LossSettings,
) -> DistillationLoss:
    """Build a loss, and check that what came out is one.

    Raises:
        RecipeError: A user's own class cannot be built so, or lacks a method of
            `DistillationLoss`.
        DdcError: Whatever the loss itself finds wrong.
    """
    name = getattr(builder, "__name__", repr(builder))
    try:
        loss = builder(real_images, real_labels, settings)
    except DdcError:
        raise
    except TypeError as error:
        raise RecipeError(
            f"The loss '{name}' cannot be built ({error}); its constructor takes real_images, "
            "real_labels and settings."
        ) from error
    if not isinstance(loss, DistillationLoss):
        raise RecipeError(
            f"The loss '{name}' lacks methods; let its class inherit from "
            "ddcodec.distill.losses.DistillationLoss and define __call__."
        )
    return loss


def _module(name: str) -> object:
    # A command's path begins with its own folder, not the one the user works in.
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise RecipeError(
                f"The module '{name}' needs '{error.name}': not installed."
            ) from error
        raise RecipeError(
            f"There is no module '{name}'; run from the folder of its file, or install it."
        ) from error
    except Exception as error:
        raise RecipeError(
            f"The module '{name}' cannot be imported: {type(error).__name__}: {error}."
        ) from error
    finally:
        sys.path.remove(here)

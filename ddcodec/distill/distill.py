"""Distill a dataset into a finished file: the one call behind `ddc distill`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from ddcodec.budget import Budget
from ddcodec.datasets.base import Dataset
from ddcodec.distill.auto_labels import distill_auto_labels
from ddcodec.distill.comparison.pixel_recipe import distill_pixel_recipe
from ddcodec.distill.latent_run import distill_latents
from ddcodec.distill.losses import LOSSES
from ddcodec.distill.losses.by_name import find_loss
from ddcodec.distill.recipe.recipe import AUTO_LABELS, NO_LOSS, PIXELS, SEARCH, Recipe
from ddcodec.distill.running.checkpoint import DATASET
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.search.decoder_search import distill_searched
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import RecipeError
from ddcodec.version import __version__


def distill(dataset: Dataset, recipe: Recipe, supervision: Supervision | None = None) -> Distilled:
    """Distill the training part of a dataset, or all training images, within a recipe's budget.

    Raises:
        RecipeError: if the loss or the device does not exist, a resumed run had other settings, or
            several processes cannot share the work, or it has no stage to end after.
        BudgetError: if the budget cannot hold the networks.
        DataError: if a class has too few images, or a checkpoint is missing or damaged.
        OutputError: if the disk of the checkpoint has no room for it.
        RunInterrupted: if somebody asked to stop.
        StageEnded: if the run was to end after a stage.
        RankLost: if another process has ended.
    """
    supervision = supervision or Supervision()
    device = find_device(recipe)
    if recipe.loss != NO_LOSS:
        find_loss(recipe.loss, LOSSES)
    _check_rows_of_runs(recipe, supervision)
    dataset = dataset.holding_out(recipe.hold_out)
    part = TrainingPart.of(dataset)
    settings = checkpoint_settings(dataset, recipe)
    if not supervision.resume:
        budget_bytes = Budget(recipe.bytes_per_class, dataset.num_classes).budget_bytes
        facts = {"dataset": dataset.name, "budget_bytes": budget_bytes, "recipe": settings}
        start = {"event": "start", "ddcodec": __version__, **facts, "seconds": 0.0}
        supervision.on_record(start)

    def distill_one(recipe: Recipe, supervision: Supervision) -> Distilled:
        if recipe.synthesis == SEARCH:
            return distill_searched(dataset, part, recipe, supervision, distill_one)
        settings = checkpoint_settings(dataset, recipe)
        return distill_latents(dataset, part, recipe, supervision, device, settings)

    if recipe.parameterization == PIXELS:
        distilled = distill_pixel_recipe(dataset, part, recipe, supervision, device)
    elif recipe.labels == AUTO_LABELS:
        distilled = distill_auto_labels(dataset, recipe, supervision, device, distill_one)
    else:
        distilled = distill_one(recipe, supervision)
    seconds = round(distilled.seconds, 3)
    finished = {"event": "finish", "size_bytes": distilled.size_bytes, "seconds": seconds}
    supervision.on_record(finished)
    return distilled


def checkpoint_settings(dataset: Dataset, recipe: Recipe) -> Mapping[str, Any]:
    """Return everything a result depends on, of JSON types."""
    settings = dataclasses.asdict(recipe)
    settings["loss_options"] = dict(recipe.loss_options)
    return {DATASET: dataset.fingerprint, **settings}


def _check_rows_of_runs(recipe: Recipe, supervision: Supervision) -> None:
    """Refuse to share or to stop what is a row of runs, or not made by the loop over phases."""
    asked = (
        (recipe.parameterization, PIXELS, "--parameterization"),
        (recipe.labels, AUTO_LABELS, "--labels"),
        (recipe.synthesis, SEARCH, "--synthesis"),
    )
    for value, alone, option in asked:
        if supervision.ranks.count > 1 and value == alone:
            raise RecipeError(
                f"{option} {alone} is the work of one process; start it without torchrun, or name "
                "another."
            )
        if supervision.until is not None and value == alone:
            raise RecipeError(
                f"{option} {alone} has no stages to end after; leave --until out, or name another."
            )
    if supervision.until is not None and supervision.checkpoint is None:
        raise RecipeError("A run that ends after a stage needs a checkpoint to go on from.")


def find_device(recipe: Recipe) -> torch.device:
    """Return the device of a recipe.

    Raises:
        RecipeError: if it does not exist.
    """
    try:
        device = torch.device(recipe.device)
    except RuntimeError as error:
        raise RecipeError(f"'{recipe.device}' is not a device; choose cpu or cuda.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RecipeError("A GPU was asked for, but torch finds none; use --device cpu.")
    return device

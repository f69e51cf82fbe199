"""A run on pixels, built from its recipe."""

from __future__ import annotations

import time

import torch

from ddcodec.budget import Budget
from ddcodec.datasets.base import Dataset, class_counts
from ddcodec.distill.comparison.pixel_task import PixelTask
from ddcodec.distill.comparison.pixels import distill_pixels
from ddcodec.distill.recipe.recipe import NO_LOSS, Recipe
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.start.recipe_parts import build_distillation, image_chooser
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import RecipeError


def distill_pixel_recipe(
    dataset: Dataset,
    part: TrainingPart,
    recipe: Recipe,
    supervision: Supervision,
    device: torch.device,
) -> Distilled:
    """Optimise plain pixels and code them without loss.

    Raises:
        RecipeError: if it is to be resumed.
    """
    refuse_to_resume(supervision)
    started = time.monotonic()
    mean, std = part.coded_normalisation
    task = PixelTask(
        images=part.images.numpy(),
        available_counts=class_counts(part.labels.numpy(), part.num_classes),
        class_names=dataset.class_names if recipe.keep_class_names else None,
        mean=mean,
        std=std,
        budget=Budget(recipe.bytes_per_class, dataset.num_classes),
        images_per_class=recipe.images_per_class,
        context_width=recipe.context_width,
        choose=image_chooser(dataset, part, recipe, device, supervision.on_progress),
        distillation=None
        if recipe.loss == NO_LOSS
        else lambda representation: build_distillation(
            dataset,
            part,
            recipe,
            representation,
            representation.header(mean, std),
            supervision.on_progress,
        ),
        steps=recipe.joint_steps,
        seed=recipe.seed,
        device=device,
        on_progress=supervision.on_progress,
    )
    return run_pixels(task, started)


def refuse_to_resume(supervision: Supervision) -> None:
    """Say that there is nothing to go on from.

    Raises:
        RecipeError: if a run is to be resumed.
    """
    if supervision.resume:
        raise RecipeError("Runs on pixels keep no checkpoint; leave --resume out to begin anew.")


def run_pixels(task: PixelTask, started: float) -> Distilled:
    """Code a task within its budget; `started` is when its preparation began, monotonic."""
    file = distill_pixels(task)
    return Distilled(
        file.encoded,
        file.allocation,
        task.budget,
        file.estimated_bytes,
        file.real_images,
        time.monotonic() - started,
        step_counts={} if task.distillation is None else {"joint": task.steps},
    )

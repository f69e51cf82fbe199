"""What a recipe names, built from the training part: initial images, pool, loss."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset
from ddcodec.distill.labels.making import load_teacher
from ddcodec.distill.labels.plan import with_teacher
from ddcodec.distill.latents.representation import Representation
from ddcodec.distill.losses import LOSSES, LossSettings
from ddcodec.distill.losses.by_name import build_loss, find_loss
from ddcodec.distill.rate.utilities import Distillation
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running.progress import Progress, ProgressCallback
from ddcodec.distill.start.crop_choice import PACKS, CropChoice, Surprise, teacher_surprise
from ddcodec.distill.start.initial_images import (
    INITIALISERS,
    PoolLook,
    choose_initial_images,
    not_shown,
)
from ddcodec.distill.trained.automatic_pool import AUTOMATIC, RANDOM, automatic_pool
from ddcodec.distill.trained.network_training import TrainingProgress
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.format.header import Header
from ddcodec.kept.paths import user_path
from ddcodec.ranks import ALONE, Ranks

JOINT_IMAGES = 320
"""Images of one joint step: where a loss allows, all of a few classes, because the mean of some
images of a class strays from the mean of all, and correcting that would make them alike."""

MOST_JOINT_IMAGES = 1024
"""Images of one class in a joint step at most."""


def build_distillation(
    dataset: Dataset,
    part: TrainingPart,
    recipe: Recipe,
    representation: Representation,
    header: Header,
    on_progress: ProgressCallback,
    ranks: Ranks = ALONE,
) -> Distillation:
    """Build the loss of a recipe, and the automatic pool first if it is missing.

    Raises:
        RecipeError: if the loss is unknown or an option of it.
        DataError: if a pool or experts do not fit.
    """
    builder = find_loss(recipe.loss, LOSSES)
    most_per_class = int(representation.class_counts.max())
    few_classes = getattr(builder, "class_by_class", False)
    mean = tuple(value / 256 for value in header.mean)
    std = tuple(value / 256 for value in header.std)
    pool = None
    if few_classes and recipe.pool != RANDOM:
        pool = str(_pool_folder(dataset, recipe, representation.device, on_progress, ranks))
    settings = LossSettings(
        mean=mean,
        std=std,
        num_classes=part.num_classes,
        seed=recipe.seed,
        device=recipe.device,
        pool=pool,
        experts=recipe.experts,
        options=recipe.loss_options,
        classes_per_step=max(1, JOINT_IMAGES // most_per_class) if few_classes else None,
        ranks=ranks,
    )
    loss = build_loss(builder, part.pixels, part.labels.numpy(), settings)
    per_class = max(1, JOINT_IMAGES // part.num_classes)
    if few_classes or getattr(loss, "sees_all_images", False):
        per_class = MOST_JOINT_IMAGES
    return Distillation(loss, representation, mean, std, per_class, recipe.seed)


def image_chooser(
    dataset: Dataset,
    part: TrainingPart,
    recipe: Recipe,
    device: torch.device,
    on_progress: ProgressCallback,
    ranks: Ranks = ALONE,
) -> Callable[[NDArray[np.int64]], NDArray[np.uint8]]:
    """Return a function from numbers of images per class to those a run starts from.

    It returns uint8 N×C×H×W, sorted by class; a larger choice begins, class by class, with a
    smaller one. Choices that look through networks take those of the pool the recipe names, or
    else of the automatic one, which is made first if it is missing; crops are chosen by the
    recipe's teacher if it names one.

    Raises:
        DataError: if the teacher is of another dataset.
        RecipeError: if images are too small for what is packed into them.
    """
    images, labels = part.pixels, part.labels.numpy()
    look = PoolLook(
        images,
        labels,
        part.num_classes,
        device,
        lambda: _pool_folder(dataset, recipe, device, on_progress, ranks),
    )
    budget_bytes = round(recipe.bytes_per_class * dataset.num_classes)
    phase = recipe.init if recipe.init in INITIALISERS else "crops"
    # Random images take no time worth showing.
    shown = not_shown if phase == "random" else shown_classes(phase, budget_bytes, on_progress)
    if recipe.init in INITIALISERS:
        return lambda counts: images[
            choose_initial_images(recipe.init, labels, counts, recipe.seed, look, shown)
        ]

    surprise: Surprise = look.surprise
    recipe = with_teacher(dataset, recipe, device, shown_training("", budget_bytes, on_progress))
    if recipe.teacher is not None:
        surprise = teacher_surprise(load_teacher(dataset, Path(recipe.teacher), device), device)
    return CropChoice(images, labels, PACKS[recipe.init], recipe.seed, surprise, shown)


def _pool_folder(
    dataset: Dataset,
    recipe: Recipe,
    device: torch.device,
    on_progress: ProgressCallback,
    ranks: Ranks,
) -> Path:
    """Return the folder of the pool a recipe names, or of the automatic one, made if missing."""
    if recipe.pool not in (AUTOMATIC, RANDOM):
        return user_path(recipe.pool)

    budget_bytes = round(recipe.bytes_per_class * dataset.num_classes)
    shown = shown_training("pool ", budget_bytes, on_progress)
    return automatic_pool(dataset, device, shown, ranks)


def shown_training(
    prefix: str, budget_bytes: int, on_progress: ProgressCallback
) -> Callable[[TrainingProgress], None]:
    """Return a callback that shows the training of networks as a phase of a run."""

    def report(progress: TrainingProgress) -> None:
        on_progress(
            Progress(
                phase=f"{prefix}{progress.phase} {progress.network + 1}/{progress.networks}",
                step=progress.step,
                steps=progress.steps,
                rate_bytes=None,
                budget_bytes=budget_bytes,
                loss=progress.loss,
                seconds_left=progress.seconds_left,
            )
        )

    return report


def shown_classes(
    phase: str, budget_bytes: int, on_progress: ProgressCallback
) -> Callable[[int, int], None]:
    """Return a callback that shows work done class by class as a phase of a run."""
    first_end = 0.0

    def report(done: int, classes: int) -> None:
        # A pool may have been made during the first class.
        nonlocal first_end
        now = time.monotonic()
        if done == 1:
            first_end = now
        left = (now - first_end) / (done - 1) * (classes - done) if done > 1 else None
        on_progress(Progress(phase, done, classes, None, budget_bytes, None, left))

    return report

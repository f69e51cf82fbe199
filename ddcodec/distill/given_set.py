"""Code images that somebody else distilled: exactly these, all of them, within a budget.

It is phase 1 of a distillation with the given images in place of chosen ones; nothing is held back
for validation, because nothing is chosen.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from ddcodec.budget import Budget
from ddcodec.codec.decode import decode_bytes
from ddcodec.datasets.base import Dataset, class_counts
from ddcodec.datasets.given_images import GivenImages
from ddcodec.distill.comparison.pixel_recipe import refuse_to_resume, run_pixels
from ddcodec.distill.comparison.pixel_task import PixelTask
from ddcodec.distill.distill import checkpoint_settings, find_device
from ddcodec.distill.latent_run import finish_run, new_run
from ddcodec.distill.rate.allocation import allocate_counts
from ddcodec.distill.recipe.recipe import NO_LOSS, PIXELS, SEARCH, Recipe
from ddcodec.distill.running.checkpoint import DATASET
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.picture_quality import psnr, squared_errors
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import RecipeError
from ddcodec.format.limits import UNBOUNDED


@dataclass(frozen=True)
class EncodedSet:
    """Given images as a file.

    Attributes:
        distilled: the file and how its budget was spent; `real_images` are the given ones.
        psnr: of the decoded images against the given ones in dB, over all pixels; infinite
            where they are equal.
        psnr_range: the same of the worst and of the best image.
    """

    distilled: Distilled
    psnr: float
    psnr_range: tuple[float, float]


def encode_given_images(
    given: GivenImages, recipe: Recipe, supervision: Supervision | None = None
) -> EncodedSet:
    """Code all given images, sorted by class, within the recipe's budget.

    The recipe has the loss `none` and leaves the number of images open.

    Raises:
        RecipeError: if the recipe asks for a loss, for other images or for an absent device.
        BudgetError: if the budget cannot hold the networks, or pixels without loss.
        OutputError: if the disk of the checkpoint has no room for it.
        RunInterrupted: if somebody asked to stop.
    """
    if recipe.loss != NO_LOSS or recipe.images_per_class is not None:
        raise RecipeError("Given images are coded as they are: set loss='none' and no number.")
    if recipe.synthesis == SEARCH:
        raise RecipeError("Decoders are searched by ddc distill alone; name one.")
    supervision = supervision or Supervision()
    dataset = given.dataset
    part = _part(given)
    names = dataset.class_names if recipe.keep_class_names and given.has_names else None
    code = _code_pixels if recipe.parameterization == PIXELS else _code_latents
    distilled = code(dataset, part, names, recipe, supervision)
    decoded = decode_bytes(distilled.encoded.data, UNBOUNDED).images
    errors = squared_errors(decoded, distilled.real_images)
    worst_and_best = psnr(float(errors.max())), psnr(float(errors.min()))
    return EncodedSet(distilled, psnr(float(errors.mean())), worst_and_best)


def _part(given: GivenImages) -> TrainingPart:
    """Return all images sorted by class, with the normalisation they came with, if any."""
    dataset = given.dataset
    part = TrainingPart.of_rows(dataset, np.argsort(dataset.train.labels, kind="stable"))
    if given.normalisation is None:
        return part
    mean, std = given.normalisation
    return replace(part, mean=mean, std=std)


def _code_latents(
    dataset: Dataset,
    part: TrainingPart,
    names: tuple[str, ...] | None,
    recipe: Recipe,
    supervision: Supervision,
) -> Distilled:
    allocation = allocate_counts(
        recipe,
        class_counts(part.labels.numpy(), part.num_classes),
        part.image_shape,
        names_bytes=sum(len(name) + 1 for name in names or ()),
    )
    targets = part.images.numpy()
    run = new_run(part, recipe, allocation, targets, names, find_device(recipe))
    # A checkpoint of `distill` for the same images holds another run.
    settings = {**checkpoint_settings(dataset, recipe), DATASET: f"given {dataset.fingerprint}"}
    return finish_run(run, recipe, allocation, targets, supervision, settings)


def _code_pixels(
    dataset: Dataset,
    part: TrainingPart,
    names: tuple[str, ...] | None,
    recipe: Recipe,
    supervision: Supervision,
) -> Distilled:
    refuse_to_resume(supervision)
    started = time.monotonic()
    mean, std = part.coded_normalisation
    task = PixelTask(
        images=part.images.numpy(),
        available_counts=class_counts(part.labels.numpy(), part.num_classes),
        class_names=names,
        mean=mean,
        std=std,
        budget=Budget(recipe.bytes_per_class, part.num_classes),
        images_per_class=None,
        context_width=recipe.context_width,
        choose=lambda counts: part.images.numpy()[: int(counts.sum())],
        distillation=None,
        steps=recipe.joint_steps,
        seed=recipe.seed,
        device=find_device(recipe),
        on_progress=supervision.on_progress,
        keeps_all=True,
    )
    return run_pixels(task, started)

"""Distill a dataset into a finished file: the one call behind `ddc distill`."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.budget import Budget
from ddcodec.codec.encode import EncodedFile, encode_content
from ddcodec.codec.parameters import estimate_rate_bits
from ddcodec.codec.stream import Content
from ddcodec.codec.wavelet import WaveletSynthesis
from ddcodec.datasets.base import Dataset, class_counts, normalisation, split_validation
from ddcodec.distill.allocation import Allocation, allocate
from ddcodec.distill.automatic_pool import AUTOMATIC, RANDOM, automatic_pool
from ddcodec.distill.descent import Goal
from ddcodec.distill.gradient_fit import fit_by_gradients
from ddcodec.distill.joint import initial_wishes, optimise_jointly
from ddcodec.distill.loop import Progress, ProgressCallback, Run
from ddcodec.distill.losses import LOSSES, LossSettings
from ddcodec.distill.losses.by_name import build_loss, find_loss
from ddcodec.distill.network_training import TrainingProgress
from ddcodec.distill.recipe import NO_LOSS, Recipe
from ddcodec.distill.representation import Representation, quantised_parameters
from ddcodec.distill.starting_point import (
    BITS_PER_SQUARED_STEP,
    FINEST_STEP,
    start_from_transform,
)
from ddcodec.distill.utilities import Distillation, Likeness
from ddcodec.errors import RecipeError
from ddcodec.format.container import pack_container
from ddcodec.format.header import HINT_LEARNING_RATE, Header

FIT_BATCH = 64
FIT_STEPS = 960
"""Network steps of the fit, between which latents move."""

GRADIENT_FIT_EPOCHS = 100
MOST_GRADIENT_FIT_IMAGES = 240_000
"""Images seen in the gradient fit of a pyramid at most: larger sets get fewer epochs."""

START_STEPS = 240
MOST_STARTS = 4
START_TOLERANCE = 0.04
JOINT_IMAGES = 320
"""Images of one joint step: where a loss allows, all of a few classes, because the mean of some
images of a class strays from the mean of all, and correcting that would make them alike."""

MOST_JOINT_IMAGES = 1024
"""Images of one class in a joint step at most."""

JOINT_SPEED = 0.01
"""Change of pixels (0 … 1) in the first joint step, root mean square."""


@dataclass(frozen=True)
class Distilled:
    """A finished run.

    Attributes:
        encoded: the file.
        allocation: how the budget was spent.
        budget: what was asked for.
        estimated_bytes: the training-time rate of the final integers plus the exact header.
        real_images: the real images phase 1 started from, N × C × H × W uint8, sorted by class.
        seconds: wall-clock time.
    """

    encoded: EncodedFile
    allocation: Allocation
    budget: Budget
    estimated_bytes: float
    real_images: NDArray[np.uint8]
    seconds: float

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return len(self.encoded.data)


def distill(dataset: Dataset, recipe: Recipe, on_progress: ProgressCallback) -> Distilled:
    """Distill the training part of a dataset within the recipe's budget.

    Raises:
        RecipeError: if the loss or the device does not exist.
        BudgetError: if the budget cannot hold the networks.
        DataError: if a class has too few images.
    """
    started = time.monotonic()
    device = _device(recipe)
    if recipe.loss != NO_LOSS:
        find_loss(recipe.loss, LOSSES)
    training, _ = split_validation(dataset.train.labels)
    labels = dataset.train.labels[training]
    names = dataset.class_names if recipe.keep_class_names else None
    allocation = allocate(
        recipe,
        class_counts(labels, dataset.num_classes),
        (dataset.channels, dataset.height, dataset.width),
        names_bytes=sum(len(name) + 1 for name in names or ()),
    )
    chosen = choose_images(labels, allocation.class_counts, recipe.seed)
    targets = np.ascontiguousarray(dataset.train.images[training[chosen]])
    representation = Representation(
        allocation.class_counts,
        allocation.class_sets,
        allocation.context,
        allocation.synthesis,
        recipe.seed,
        device,
    )
    mean, std = normalisation(dataset.train.images[training])
    header = representation.header(
        mean=tuple(round(256 * float(value)) for value in mean),
        std=tuple(max(1, round(256 * float(value))) for value in std),
        has_class_names=names is not None,
    )
    budget = Budget(recipe.bytes_per_class, dataset.num_classes)
    run = Run(
        representation=representation,
        header=header,
        class_names=names,
        budget_bytes=budget.budget_bytes,
        other_bits=8 * allocation.network_bytes + 8 * len(pack_container(header, b"", 0)),
        multiplier=0.0,
        on_progress=on_progress,
        seed=recipe.seed,
    )
    # Built first: a pool of another dataset should not be found out after minutes of fitting.
    utility = None
    if recipe.loss != NO_LOSS:
        utility = _distillation(run, recipe, dataset, training)
    content = _phases(run, recipe, targets, utility)
    encoded = encode_content(run.header, content)
    return Distilled(
        encoded,
        allocation,
        budget,
        _estimated_bytes(run, content, run.header),
        targets,
        time.monotonic() - started,
    )


def _phases(
    run: Run, recipe: Recipe, targets: NDArray[np.uint8], utility: Distillation | None
) -> Content:
    likeness = Likeness(run.representation, torch.from_numpy(targets), FIT_BATCH, recipe.seed)
    if isinstance(run.representation.synthesis, WaveletSynthesis):
        _start_from_transform(run, likeness, targets)
    else:
        _start_from_gradients(run, likeness, recipe.fit_steps)
    run.fit(likeness, recipe.fit_steps or FIT_STEPS)
    goal: Goal = likeness
    if utility is not None:
        wishes = initial_wishes(run.representation, likeness, run.generator)
        run.multiplier = optimise_jointly(
            run.representation,
            wishes,
            utility,
            recipe.joint_steps,
            JOINT_SPEED,
            run.multiplier,
            run.target_bits,
            run.generator,
            lambda step, bits, loss: run.report("joint", step + 1, recipe.joint_steps, bits, loss),
        )
        goal = wishes
        run.header = replace(run.header, hints=_hints(utility))
    return run.finish(goal, likeness)


def _start_from_transform(run: Run, likeness: Likeness, targets: NDArray[np.uint8]) -> None:
    """Round transforms of the images at a step that gives the rate under a trained context."""
    representation = run.representation
    target_bits = run.target_bits
    for attempt in range(MOST_STARTS):
        step = start_from_transform(representation, targets, target_bits)
        run.multiplier = BITS_PER_SQUARED_STEP / step**2
        steps = START_STEPS if attempt == 0 else START_STEPS // 2
        run.train_networks(likeness, "start", range(steps), steps, context_only=True)
        bits = run.estimated_latent_bits(representation.latents.detach(), representation.networks)
        # The descent that follows saves a few per cent.
        share = bits / run.target_bits
        if abs(share - 1) < START_TOLERANCE or step <= FINEST_STEP * 1.01:
            return
        target_bits /= share


def _start_from_gradients(run: Run, likeness: Likeness, steps: int | None) -> None:
    count = run.representation.num_images
    epochs = min(GRADIENT_FIT_EPOCHS, MOST_GRADIENT_FIT_IMAGES / count)
    total = steps or max(600, round(epochs * count / FIT_BATCH))
    run.multiplier = fit_by_gradients(
        run.representation,
        likeness,
        total,
        run.target_bits,
        run.generator,
        lambda step, bits, loss: run.report("start", step + 1, total, bits, loss),
    )


def _distillation(
    run: Run, recipe: Recipe, dataset: Dataset, training: NDArray[np.int64]
) -> Distillation:
    builder = find_loss(recipe.loss, LOSSES)
    most_per_class = int(run.representation.class_counts.max())
    few_classes = getattr(builder, "class_by_class", False)
    mean = tuple(value / 256 for value in run.header.mean)
    std = tuple(value / 256 for value in run.header.std)
    settings = LossSettings(
        mean=mean,
        std=std,
        num_classes=dataset.num_classes,
        seed=recipe.seed,
        device=recipe.device,
        pool=_pool_folder(run, recipe, dataset) if few_classes else None,
        experts=recipe.experts,
        options=recipe.loss_options,
        classes_per_step=max(1, JOINT_IMAGES // most_per_class) if few_classes else None,
    )
    images, labels = dataset.train.images[training], dataset.train.labels[training]
    loss = build_loss(builder, images, labels, settings)
    per_class = MOST_JOINT_IMAGES if few_classes else max(1, JOINT_IMAGES // dataset.num_classes)
    return Distillation(loss, run.representation, mean, std, per_class, recipe.seed)


def _pool_folder(run: Run, recipe: Recipe, dataset: Dataset) -> str | None:
    """Return the folder of the pool a recipe asks for, made first if it is the automatic one."""
    if recipe.pool == RANDOM:
        return None
    if recipe.pool != AUTOMATIC:
        return recipe.pool

    def report(progress: TrainingProgress) -> None:
        run.on_progress(
            Progress(
                phase=f"pool {progress.phase} {progress.network + 1}/{progress.networks}",
                step=progress.step,
                steps=progress.steps,
                rate_bytes=None,
                budget_bytes=run.budget_bytes,
                loss=progress.loss,
                seconds_left=progress.seconds_left,
            )
        )

    return str(automatic_pool(dataset, run.representation.device, report))


def _hints(utility: Distillation) -> tuple[tuple[int, int], ...]:
    """Return what a student should know: the learning rate, if the loss has learned one."""
    rate = utility.student_rate
    return () if rate is None else ((HINT_LEARNING_RATE, max(1, round(1e6 * rate))),)


def _estimated_bytes(run: Run, content: Content, header: Header) -> float:
    """Return the float rate of latents and weights plus the exact header and details."""
    device = run.representation.device
    networks = [quantised_parameters(tensors, device) for tensors in content.networks]
    latents = torch.empty_like(run.representation.latents)
    for set_index, planes in enumerate(content.latents):
        rows = np.concatenate([plane.reshape(len(plane), -1) for plane in planes], axis=1)
        members = run.representation.image_sets == set_index
        latents[members] = torch.from_numpy(rows.astype(np.float32)).to(device)
    bits = run.estimated_latent_bits(latents, networks)
    for tensors, parameters in zip(content.networks, networks, strict=True):
        for name, tensor in tensors.items():
            bits += float(estimate_rate_bits(parameters[name], tensor.step_exponent))
    counts = 1.0
    if len(set(content.class_counts.tolist())) > 1:
        counts += header.num_classes * np.log2(header.num_images + 1)
    if header.num_sets < header.num_classes:
        counts += header.num_classes * np.log2(header.num_sets)
    names = sum(5 * (len(name) + 1) for name in content.class_names or ())
    return (bits + counts + names) / 8 + len(pack_container(header, b"", 0))


def choose_images(
    labels: NDArray[np.int64], counts: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """Return random images of each class, sorted by class; a larger set contains a smaller one."""
    chosen = []
    for label, count in enumerate(counts):
        members = np.flatnonzero(labels == label)
        keys = np.random.PCG64([seed, label]).random_raw(len(members))
        chosen.append(members[np.argsort(keys, kind="stable")[:count]])
    return np.concatenate(chosen)


def _device(recipe: Recipe) -> torch.device:
    try:
        device = torch.device(recipe.device)
    except RuntimeError as error:
        raise RecipeError(f"'{recipe.device}' is not a device; choose cpu or cuda.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RecipeError("A GPU was asked for, but torch finds none; use --device cpu.")
    return device

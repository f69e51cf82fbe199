"""Distill a dataset into a finished file: the one call behind `ddc distill`."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.budget import Budget
from ddcodec.codec.encode import EncodedFile, encode_content
from ddcodec.codec.parameters import estimate_rate_bits
from ddcodec.codec.stream import Content
from ddcodec.codec.synthesis import SYNTHESIS_ID
from ddcodec.datasets.base import Dataset, class_counts, normalisation, split_validation
from ddcodec.distill.allocation import Allocation, allocate
from ddcodec.distill.loop import Phase, ProgressCallback, Run
from ddcodec.distill.losses import LOSSES, LossSettings
from ddcodec.distill.optimiser import LearningRates
from ddcodec.distill.rate_control import RateController
from ddcodec.distill.recipe import NO_LOSS, Recipe
from ddcodec.distill.representation import Representation, quantised_parameters
from ddcodec.distill.utilities import Distillation, Likeness
from ddcodec.errors import RecipeError
from ddcodec.format.container import pack_container
from ddcodec.format.header import LABEL_MODE_HARD, Header

FIT_BATCH = 64
FIT_EPOCHS = 100
MOST_FIT_IMAGES = 240_000
"""Images seen in phase 1 at most: larger sets are fitted in fewer epochs."""

JOINT_IMAGES = 320
"""Images of one joint step at most."""

FIRST_ERROR_WEIGHT = 12.0
"""λ at the start of phase 1: bits that one unit of squared error is worth."""


FIT_RATES = LearningRates(latents=(0.15, 0.015), networks=(1e-2, 1e-3))
JOINT_RATES = LearningRates(latents=(0.2, 0.03), networks=(1e-3, 1e-4), damping=1.0)
FILL_RATES = LearningRates(latents=(0.05, 0.015), networks=(1e-3, 5e-4))


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
    if recipe.loss != NO_LOSS and recipe.loss not in LOSSES:
        raise RecipeError(f"unknown loss '{recipe.loss}'; choose none, {', '.join(LOSSES)}.")
    training, _ = split_validation(dataset.train.labels)
    labels = dataset.train.labels[training]
    names = dataset.class_names if recipe.keep_class_names else None
    allocation = allocate(
        recipe,
        class_counts(labels, dataset.num_classes),
        (dataset.channels, dataset.height, dataset.width),
        names_bytes=sum(len(name) + 1 for name in names or ()),
    )
    header = _header(dataset, allocation, has_names=names is not None)
    chosen = _choose_images(labels, allocation.class_counts, recipe.seed)
    targets = np.ascontiguousarray(dataset.train.images[training[chosen]])
    representation = Representation(
        allocation.class_counts,
        allocation.class_sets,
        allocation.context,
        allocation.synthesis,
        recipe.seed,
        device,
    )
    budget = Budget(recipe.bytes_per_class, dataset.num_classes)
    run = Run(
        representation=representation,
        header=header,
        class_names=names,
        budget_bytes=budget.budget_bytes,
        other_bits=8 * allocation.network_bytes + 8 * len(pack_container(header, b"", 0)),
        controller=RateController(FIRST_ERROR_WEIGHT),
        on_progress=on_progress,
        seed=recipe.seed,
    )
    content = _phases(run, recipe, targets, dataset, training)
    encoded = encode_content(header, content)
    return Distilled(
        encoded,
        allocation,
        budget,
        _estimated_bytes(run, content, header),
        targets,
        time.monotonic() - started,
    )


def _phases(
    run: Run,
    recipe: Recipe,
    targets: NDArray[np.uint8],
    dataset: Dataset,
    training: NDArray[np.int64],
) -> Content:
    likeness = Likeness(torch.from_numpy(targets), FIT_BATCH, recipe.seed)
    epochs = min(FIT_EPOCHS, MOST_FIT_IMAGES / len(targets))
    fit_steps = recipe.fit_steps or max(600, round(epochs * len(targets) / FIT_BATCH))
    run.controller = RateController.for_steps(FIRST_ERROR_WEIGHT, fit_steps, warmup=0.35)
    run.optimise(Phase("fit", fit_steps, likeness, FIT_RATES))
    fill = Phase("fill", max(20, fit_steps // 12), likeness, FILL_RATES)
    run.fill(fill)
    error_weight_bits = run.controller.multiplier
    if recipe.loss != NO_LOSS:
        utility = _distillation(run, recipe, dataset, training)
        joint = Phase("joint", recipe.joint_steps, utility, JOINT_RATES)
        run.balance(joint)
        run.optimise(joint, softness=(1.0, 1.0))
    return run.land(run.quantise_networks(error_weight_bits))


def _distillation(
    run: Run, recipe: Recipe, dataset: Dataset, training: NDArray[np.int64]
) -> Distillation:
    mean = tuple(value / 256 for value in run.header.mean)
    std = tuple(value / 256 for value in run.header.std)
    settings = LossSettings(
        mean=mean,
        std=std,
        num_classes=dataset.num_classes,
        seed=recipe.seed,
        device=recipe.device,
    )
    images = dataset.train.images[training]
    loss = LOSSES[recipe.loss](images, dataset.train.labels[training], settings)
    classes = loss.classes_for_step(0)
    per_step = dataset.num_classes if classes is None else len(classes)
    per_class = max(1, JOINT_IMAGES // per_step)
    return Distillation(loss, run.representation, mean, std, per_class, recipe.seed)


def _estimated_bytes(run: Run, content: Content, header: Header) -> float:
    """Return the float rate of latents and weights plus the exact header and details."""
    device = run.representation.device
    networks = [quantised_parameters(tensors, device) for tensors in content.networks]
    parts = [
        torch.cat([torch.from_numpy(level.astype(np.float32)).flatten(1) for level in levels], 1)
        for levels in content.latents
    ]
    latents = torch.empty_like(run.representation.latents)
    for set_index, part in enumerate(parts):
        latents[run.representation.image_sets == set_index] = part.to(device)
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


def _header(dataset: Dataset, allocation: Allocation, has_names: bool) -> Header:
    mean, std = normalisation(dataset.train.images)
    synthesis, context = allocation.synthesis, allocation.context
    return Header(
        num_classes=dataset.num_classes,
        num_images=int(allocation.class_counts.sum()),
        height=dataset.height,
        width=dataset.width,
        channels=dataset.channels,
        num_levels=synthesis.num_levels,
        num_sets=allocation.num_sets,
        context_id=context.context_id,
        context_width=context.width,
        context_depth=context.depth,
        synthesis_id=SYNTHESIS_ID,
        synthesis_widths=synthesis.widths,
        label_mode=LABEL_MODE_HARD,
        mean=tuple(round(256 * float(value)) for value in mean),
        std=tuple(max(1, round(256 * float(value))) for value in std),
        hints=(),
        has_class_names=has_names,
    )


def _choose_images(
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

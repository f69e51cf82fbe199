"""Distill a dataset into a finished file: the one call behind `ddc distill`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec import __version__
from ddcodec.budget import Budget
from ddcodec.codec.encode import EncodedFile, encode_content
from ddcodec.codec.stream import Content
from ddcodec.codec.wavelet import WaveletSynthesis
from ddcodec.datasets.base import Dataset, class_counts
from ddcodec.distill.allocation import Allocation, allocate
from ddcodec.distill.checkpoint import DATASET
from ddcodec.distill.estimate import estimated_file_bytes
from ddcodec.distill.landing import land_on_budget
from ddcodec.distill.loop import Loop
from ddcodec.distill.losses import LOSSES
from ddcodec.distill.losses.by_name import find_loss
from ddcodec.distill.phases.base import Phase
from ddcodec.distill.phases.fit import Fit
from ddcodec.distill.phases.gradient_joint import GradientJoint
from ddcodec.distill.phases.gradient_start import GradientStart
from ddcodec.distill.phases.joint import Joint
from ddcodec.distill.phases.joint_phase import JointSettings
from ddcodec.distill.phases.settle import Settle
from ddcodec.distill.phases.start import TransformStart
from ddcodec.distill.pixel_task import PixelTask
from ddcodec.distill.pixels import distill_pixels
from ddcodec.distill.progress import Supervision
from ddcodec.distill.random_streams import normal_table
from ddcodec.distill.recipe import DESCENT, NO_LOSS, PIXELS, Recipe
from ddcodec.distill.recipe_parts import build_distillation, image_chooser
from ddcodec.distill.representation import Representation
from ddcodec.distill.run import Run
from ddcodec.distill.store import check_room
from ddcodec.distill.time_plan import TimePlan
from ddcodec.distill.training_part import TrainingPart
from ddcodec.distill.utilities import Likeness
from ddcodec.errors import BudgetError, RecipeError
from ddcodec.format.container import pack_container

FIT_BATCH = 64
FIT_STEPS = 960
"""Network steps of the fit, between which latents move."""

GRADIENT_START_EPOCHS = 100
MOST_GRADIENT_START_IMAGES = 240_000
"""Images seen in the gradient start of a pyramid at most: larger sets get fewer epochs."""

FULL = 0.97

CHECKPOINT_COPIES = 7
"""Float32 tensors of the size of all latents in a checkpoint at most: latents and wishes, now and
of the best candidate, the state of an optimiser, and the file before."""


@dataclass(frozen=True)
class Distilled:
    """A finished run.

    Attributes:
        encoded: the file.
        allocation: how the budget was spent.
        budget: what was asked for.
        estimated_bytes: the training-time rate of the final integers plus the exact header.
        real_images: the real images phase 1 started from, N × C × H × W uint8, sorted by class.
        seconds: wall-clock time, that of a pool made on the way not included.
        has_fixed_multiplier: whether λ was given, so that the size fell where it fell.
        step_counts: steps of the phases that were made, by their names.
        selected_step: of the joint phase, after which the images were; None without validation.
        accuracy: that validation gave them then, in percent; None without validation.
    """

    encoded: EncodedFile
    allocation: Allocation
    budget: Budget
    estimated_bytes: float
    real_images: NDArray[np.uint8]
    seconds: float
    has_fixed_multiplier: bool = False
    step_counts: Mapping[str, int] = field(default_factory=dict)
    selected_step: int | None = None
    accuracy: float | None = None

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return len(self.encoded.data)

    @property
    def is_below_floor(self) -> bool:
        """Whether the file leaves more of the budget unused than it should."""
        return not self.has_fixed_multiplier and self.size_bytes < self.budget.floor_bytes


def distill(dataset: Dataset, recipe: Recipe, supervision: Supervision | None = None) -> Distilled:
    """Distill the training part of a dataset within the recipe's budget.

    Raises:
        RecipeError: if the loss or the device does not exist, or a resumed run had other settings.
        BudgetError: if the budget cannot hold the networks.
        DataError: if a class has too few images, or a checkpoint is missing or damaged.
        OutputError: if the disk of the checkpoint has no room for it.
        RunInterrupted: if somebody asked to stop.
    """
    supervision = supervision or Supervision()
    device = _device(recipe)
    if recipe.loss != NO_LOSS:
        find_loss(recipe.loss, LOSSES)
    part = TrainingPart.of(dataset)
    settings = checkpoint_settings(dataset, recipe)
    if not supervision.resume:
        budget_bytes = Budget(recipe.bytes_per_class, dataset.num_classes).budget_bytes
        facts = {"dataset": dataset.name, "budget_bytes": budget_bytes, "recipe": settings}
        start = {"event": "start", "ddcodec": __version__, **facts, "seconds": 0.0}
        supervision.on_record(start)
    make = _distill_pixels if recipe.parameterization == PIXELS else _distill_latents
    distilled = make(dataset, part, recipe, supervision, device)
    seconds = round(distilled.seconds, 3)
    finished = {"event": "finish", "size_bytes": distilled.size_bytes, "seconds": seconds}
    supervision.on_record(finished)
    return distilled


def _distill_latents(
    dataset: Dataset,
    part: TrainingPart,
    recipe: Recipe,
    supervision: Supervision,
    device: torch.device,
) -> Distilled:
    """Optimise latents under the rate."""
    names = dataset.class_names if recipe.keep_class_names else None
    allocation = allocate(
        recipe,
        class_counts(part.labels.numpy(), dataset.num_classes),
        part.image_shape,
        names_bytes=sum(len(name) + 1 for name in names or ()),
    )
    choose = image_chooser(dataset, part, recipe, device, supervision.on_progress)
    targets = np.ascontiguousarray(part.images.numpy()[choose(allocation.class_counts)])
    if recipe.skip_init:
        targets = _noise_like(targets, recipe.seed)
    run = _new_run(part, recipe, allocation, targets, names, device)
    if recipe.validate:
        run.validate = supervision.validate
    # Built first: a pool of another dataset should not be found out after minutes of fitting.
    if recipe.loss != NO_LOSS:
        run.utility = build_distillation(
            dataset, part, recipe, run.representation, run.header, supervision.on_progress
        )
    run.plan = TimePlan(recipe.time_seconds)
    if supervision.checkpoint is not None:
        room = CHECKPOINT_COPIES * 4 * run.representation.latents.numel() + run.budget_bytes
        check_room(supervision.checkpoint.parent, room)
    phases = _phases(run, recipe, targets)
    Loop(run, phases, supervision, checkpoint_settings(dataset, recipe)).run_all()
    content = _land(run)
    encoded = encode_content(run.header, content)
    return Distilled(
        encoded,
        allocation,
        Budget(recipe.bytes_per_class, dataset.num_classes),
        estimated_file_bytes(run, content),
        targets,
        run.plan.elapsed_seconds,
        run.fixed_multiplier,
        run.step_counts,
        None if run.selected is None else run.selected.step,
        None if run.selected is None else run.selected.accuracy,
    )


def _distill_pixels(
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
    if supervision.resume:
        raise RecipeError("Runs on pixels keep no checkpoint; leave --resume out to begin anew.")
    started = time.monotonic()
    mean, std = _coded_normalisation(part)
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
    file = distill_pixels(task)
    return Distilled(
        file.encoded,
        file.allocation,
        task.budget,
        file.estimated_bytes,
        file.real_images,
        time.monotonic() - started,
        step_counts={} if recipe.loss == NO_LOSS else {"joint": recipe.joint_steps},
    )


def checkpoint_settings(dataset: Dataset, recipe: Recipe) -> Mapping[str, Any]:
    """Return everything a result depends on, of JSON types."""
    settings = dataclasses.asdict(recipe)
    settings["loss_options"] = dict(recipe.loss_options)
    return {DATASET: dataset.fingerprint, **settings}


def _new_run(
    part: TrainingPart,
    recipe: Recipe,
    allocation: Allocation,
    targets: NDArray[np.uint8],
    names: tuple[str, ...] | None,
    device: torch.device,
) -> Run:
    representation = Representation(
        allocation.class_counts,
        allocation.class_sets,
        allocation.context,
        allocation.synthesis,
        recipe.seed,
        device,
    )
    mean, std = _coded_normalisation(part)
    header = representation.header(mean, std, has_class_names=names is not None)
    header_bits = 8 * len(pack_container(header, b"", 0))
    return Run(
        representation=representation,
        likeness=Likeness(representation, torch.from_numpy(targets), FIT_BATCH, recipe.seed),
        header=header,
        class_names=names,
        budget_bytes=Budget(recipe.bytes_per_class, part.num_classes).budget_bytes,
        other_bits=8 * allocation.network_bytes + header_bits,
        multiplier=recipe.multiplier or 0.0,
        seed=recipe.seed,
        fixed_multiplier=recipe.multiplier is not None,
    )


def _coded_normalisation(part: TrainingPart) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return mean and deviation of each channel in 1/256, as the header has them."""
    mean = tuple(round(256 * value) for value in part.mean)
    return mean, tuple(max(1, round(256 * value)) for value in part.std)


def _phases(run: Run, recipe: Recipe, targets: NDArray[np.uint8]) -> list[Phase]:
    """Return the phases that a recipe asks for, in order."""
    phases: list[Phase] = []
    if isinstance(run.representation.synthesis, WaveletSynthesis):
        phases.append(TransformStart(run, targets))
    else:
        phases.append(GradientStart(run, _gradient_start_steps(run, recipe)))
    if not recipe.skip_init:
        phases.append(Fit(run, recipe.fit_steps or FIT_STEPS, is_last=run.utility is None))
    if run.utility is not None:
        settings = JointSettings(recipe.joint_steps)
        if recipe.quantizer == DESCENT:
            phases.append(Joint(run, run.utility, settings))
        else:
            phases.append(GradientJoint(run, run.utility, settings, recipe.quantizer))
    return [*phases, Settle(run)]


def _gradient_start_steps(run: Run, recipe: Recipe) -> int:
    count = run.representation.num_images
    epochs = min(GRADIENT_START_EPOCHS, MOST_GRADIENT_START_IMAGES / count)
    return recipe.fit_steps or max(600, round(epochs * count / FIT_BATCH))


def _land(run: Run) -> Content:
    """Bring the coded size to the budget, unless λ is fixed.

    Bits that the goal has no use for make images resemble the real ones.

    Raises:
        BudgetError: if not even a file without latents fits.
    """
    networks = run.fixed_networks()
    latents = run.representation.latents.data
    if run.fixed_multiplier:
        return run.content(latents)
    smallest = run.size_bytes(torch.zeros_like(latents))
    if smallest > run.budget_bytes:
        raise BudgetError(
            f"The file takes {smallest} bytes before any image, above the budget of "
            f"{run.budget_bytes}; give a larger budget or a smaller decoder (--synthesis)."
        )
    for goal in (run.goal, run.likeness):
        descent = run.descent(goal, networks)
        size = land_on_budget(descent, latents, run.multiplier, run.size_bytes, run.budget_bytes)
        if size >= FULL * run.budget_bytes:
            break
    return run.content(latents)


def _noise_like(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Return Gaussian noise with the mean and deviation of each channel of images."""
    mean = images.mean(axis=(0, 2, 3))[:, None, None]
    std = images.std(axis=(0, 2, 3))[:, None, None]
    noise = mean + std * normal_table(seed, *images.shape).numpy()
    pixels: NDArray[np.uint8] = np.rint(noise).clip(0, 255).astype(np.uint8)
    return pixels


def _device(recipe: Recipe) -> torch.device:
    try:
        device = torch.device(recipe.device)
    except RuntimeError as error:
        raise RecipeError(f"'{recipe.device}' is not a device; choose cpu or cuda.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RecipeError("A GPU was asked for, but torch finds none; use --device cpu.")
    return device

"""A run on latents under the rate, from its recipe to the encoded file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.budget import Budget
from ddcodec.codec.encode import encode_content
from ddcodec.codec.wavelet.synthesis import WaveletSynthesis
from ddcodec.datasets.base import Dataset, class_counts
from ddcodec.distill.comparison.gradient_joint import GradientJoint
from ddcodec.distill.comparison.gradient_start import GradientStart
from ddcodec.distill.joint.joint import Joint
from ddcodec.distill.joint.joint_phase import JointSettings
from ddcodec.distill.labels.plan import LabelPlan
from ddcodec.distill.landing.estimate import estimated_file_bytes
from ddcodec.distill.landing.landing import landed
from ddcodec.distill.landing.settle import Settle
from ddcodec.distill.latents.representation import Representation
from ddcodec.distill.rate.allocation import Allocation, allocate
from ddcodec.distill.rate.utilities import Distillation, Likeness
from ddcodec.distill.recipe.recipe import DESCENT, NO_LOSS, Recipe
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.loop import Loop
from ddcodec.distill.running.phase import Phase
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.running.run import Run
from ddcodec.distill.running.stages import CODE, REFINE, Stages
from ddcodec.distill.running.time_plan import TimePlan
from ddcodec.distill.start.first_stages import labelled, selected, taught
from ddcodec.distill.start.fit import Fit
from ddcodec.distill.start.recipe_parts import build_distillation
from ddcodec.distill.start.transform import TransformStart
from ddcodec.distill.trained.random_streams import normal_table
from ddcodec.distill.trained.store import check_room
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.format.container import pack_container

FIT_BATCH = 64
FIT_STEPS = 320
"""Network steps of the fit, between which latents move. From 240 to 960 images resemble the real
ones equally, within 0.1 dB (docs/results/codec.md)."""

GRADIENT_START_EPOCHS = 100
MOST_GRADIENT_START_IMAGES = 240_000
"""Images seen in the gradient start of a pyramid at most: larger sets get fewer epochs."""

CHECKPOINT_COPIES = 7
"""Float32 tensors of the size of all latents in a checkpoint at most: latents and wishes, now and
of the best candidate, the state of an optimiser, and the file before."""


def distill_latents(
    dataset: Dataset,
    part: TrainingPart,
    recipe: Recipe,
    supervision: Supervision,
    device: torch.device,
    settings: Mapping[str, Any],
) -> Distilled:
    """Optimise latents under the rate, stage by stage; see `distill` for what is raised.

    Args:
        dataset: for its names and fingerprint.
        part: what may be seen of it.
        recipe: of the run.
        supervision: who watches.
        device: where to compute.
        settings: that a checkpoint has to agree with.
    """
    stages = Stages(supervision, settings)
    recipe = taught(dataset, recipe, device, stages, supervision)
    labels = labelled(dataset, recipe, device, stages, supervision)
    names = dataset.class_names if recipe.keep_class_names else None
    allocation = _allocated(dataset, part, recipe, labels, names)
    targets = selected(dataset, part, recipe, allocation.class_counts, device, stages, supervision)
    if recipe.skip_init:
        targets = _noise_like(targets, recipe.seed)
    run = new_run(part, recipe, allocation, targets, names, device, labels)
    if recipe.validate:
        run.validate = supervision.validate
    # Built first: a pool of another dataset should not be found out after minutes of fitting.
    if recipe.loss != NO_LOSS:
        run.utility = build_distillation(
            dataset,
            part,
            recipe,
            run.representation,
            run.header,
            supervision.on_progress,
            supervision.ranks,
        )
        _say_what_is_shared(run.utility, recipe.loss, supervision)
    return finish_run(run, recipe, allocation, targets, stages.supervision, settings)


def _allocated(
    dataset: Dataset,
    part: TrainingPart,
    recipe: Recipe,
    labels: LabelPlan,
    names: tuple[str, ...] | None,
) -> Allocation:
    """Share out what labels leave of the budget."""
    for_images = recipe.bytes_per_class - labels.bits / 8 / dataset.num_classes
    return allocate(
        replace(recipe, bytes_per_class=for_images),
        class_counts(part.labels.numpy(), dataset.num_classes),
        part.image_shape,
        names_bytes=sum(len(name) + 1 for name in names or ()),
    )


def _say_what_is_shared(utility: Distillation, loss: str, supervision: Supervision) -> None:
    if supervision.ranks.count > 1 and not utility.is_shared_by_ranks:
        supervision.on_notice(
            f"The loss '{loss}' is computed by every process: what they share is the search for "
            "changes of latents, and validation."
        )


def finish_run(
    run: Run,
    recipe: Recipe,
    allocation: Allocation,
    targets: NDArray[np.uint8],
    supervision: Supervision,
    settings: Mapping[str, Any],
) -> Distilled:
    """Make all phases of a new run, land on the budget and encode; see `distill_latents`."""
    run.ranks = supervision.ranks
    run.plan = TimePlan(recipe.time_seconds, ranks=run.ranks)
    if supervision.checkpoint is not None and run.ranks.is_first:
        room = CHECKPOINT_COPIES * 4 * run.representation.latents.numel() + run.budget_bytes
        check_room(supervision.checkpoint.parent, room)
    phases = _phases(run, recipe, targets)
    stages = Stages(supervision, settings)
    end = stages.phases_to_make([phase.name for phase in phases])
    Loop(run, phases, supervision, settings, end).run_all()
    stages.ended(CODE, f"coded images in '{supervision.checkpoint}'")
    if run.utility is None:
        stages.passed_over(REFINE, "there is no loss to refine images by")
    stages.ended(REFINE, f"refined images in '{supervision.checkpoint}'")
    content = landed(run)
    encoded = encode_content(run.header, content)
    return Distilled(
        encoded,
        allocation,
        Budget(recipe.bytes_per_class, len(allocation.class_counts)),
        estimated_file_bytes(run, content),
        targets,
        run.plan.elapsed_seconds,
        run.fixed_multiplier,
        run.step_counts,
        None if run.selected is None else run.selected.step,
        None if run.selected is None else run.selected.accuracy,
    )


def new_run(
    part: TrainingPart,
    recipe: Recipe,
    allocation: Allocation,
    targets: NDArray[np.uint8],
    names: tuple[str, ...] | None,
    device: torch.device,
    labels: LabelPlan | None = None,
) -> Run:
    """Return a run before its first phase.

    Args:
        part: for its normalisation and number of classes.
        recipe: of the run.
        allocation: of its budget.
        targets: N × C × H × W, uint8, what phase 1 resembles, sorted by class.
        names: kept in the file, or None.
        device: where to compute.
        labels: of the images; None for hard ones.
    """
    labels = labels or LabelPlan()
    representation = Representation(
        allocation.class_counts,
        allocation.class_sets,
        allocation.context,
        allocation.synthesis,
        recipe.seed,
        device,
    )
    mean, std = part.coded_normalisation
    labels.look_at(targets, representation.labels.numpy())
    header = representation.header(mean, std, has_class_names=names is not None)
    header = labels.in_header(header)
    header_bits = 8 * len(pack_container(header, b"", 0))
    return Run(
        representation=representation,
        likeness=Likeness(representation, torch.from_numpy(targets), FIT_BATCH, recipe.seed),
        header=header,
        class_names=names,
        budget_bytes=Budget(recipe.bytes_per_class, part.num_classes).budget_bytes,
        other_bits=8 * allocation.network_bytes + header_bits + labels.bits,
        multiplier=recipe.multiplier or 0.0,
        seed=recipe.seed,
        fixed_multiplier=recipe.multiplier is not None,
        labels=labels,
    )


def _phases(run: Run, recipe: Recipe, targets: NDArray[np.uint8]) -> list[Phase]:
    """Return the phases that a recipe asks for, in order."""
    phases: list[Phase] = []
    fit_steps = recipe.fit_steps or FIT_STEPS
    if isinstance(run.representation.synthesis, WaveletSynthesis):
        phases.append(TransformStart(run, targets, fit_steps))
    else:
        phases.append(GradientStart(run, _gradient_start_steps(run, recipe)))
    if not recipe.skip_init:
        phases.append(Fit(run, fit_steps, is_last=run.utility is None))
    if run.utility is not None:
        has_details = run.labels.student.renditions > 1
        settings = JointSettings(recipe.joint_steps, details=has_details)
        if recipe.quantizer == DESCENT:
            phases.append(Joint(run, run.utility, settings))
        else:
            phases.append(GradientJoint(run, run.utility, settings, recipe.quantizer))
    return [*phases, Settle(run)]


def _gradient_start_steps(run: Run, recipe: Recipe) -> int:
    count = run.representation.num_images
    epochs = min(GRADIENT_START_EPOCHS, MOST_GRADIENT_START_IMAGES / count)
    return recipe.fit_steps or max(600, round(epochs * count / FIT_BATCH))


def _noise_like(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Return Gaussian noise with the mean and deviation of each channel of images."""
    mean = images.mean(axis=(0, 2, 3))[:, None, None]
    std = images.std(axis=(0, 2, 3))[:, None, None]
    noise = mean + std * normal_table(seed, *images.shape).numpy()
    pixels: NDArray[np.uint8] = np.rint(noise).clip(0, 255).astype(np.uint8)
    return pixels

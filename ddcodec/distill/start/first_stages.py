"""What stages a run has before there are integers: a teacher, labels, images chosen by it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.budget import Budget
from ddcodec.datasets.base import Dataset
from ddcodec.datasets.wording import validated
from ddcodec.distill.labels.plan import LabelPlan, plan_labels, with_teacher
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.running.stages import LABELS, TEACHER, Stages
from ddcodec.distill.start.recipe_parts import image_chooser, shown_training
from ddcodec.distill.trained.training_part import TrainingPart


def taught(
    dataset: Dataset,
    recipe: Recipe,
    device: torch.device,
    stages: Stages,
    supervision: Supervision,
) -> Recipe:
    """Return the recipe with the folder of its teacher, or none; see `with_teacher`."""
    shown = shown_training("", _budget_bytes(dataset, recipe), supervision.on_progress)
    with supervision.ranks.first_alone():
        recipe = with_teacher(dataset, recipe, device, shown)
    if recipe.teacher is None:
        stages.passed_over(TEACHER, "nothing in this run asks a teacher")
    else:
        stages.ended(TEACHER, f"a teacher in '{recipe.teacher}'")
    return recipe


def labelled(
    dataset: Dataset,
    recipe: Recipe,
    device: torch.device,
    stages: Stages,
    supervision: Supervision,
) -> LabelPlan:
    """Return what labels need, with a labeler that is trained; see `plan_labels`."""
    budget_bytes = _budget_bytes(dataset, recipe)
    shown = shown_training("", budget_bytes, supervision.on_progress)
    with supervision.ranks.first_alone():
        labels = plan_labels(dataset, recipe, budget_bytes, device, shown)
    if labels.labeler is None:
        stages.passed_over(LABELS, "labels other than a labeler follow from the images")
        return labels
    size = f"{labels.bits / 8:,.0f} bytes"
    if labels.accuracy is not None:
        supervision.on_notice(f"labeler: {size}, {validated(labels.accuracy)}")
    stages.ended(LABELS, f"a labeler of {size} in the cache")
    return labels


def selected(
    dataset: Dataset,
    part: TrainingPart,
    recipe: Recipe,
    class_counts: NDArray[np.int64],
    device: torch.device,
    stages: Stages,
    supervision: Supervision,
) -> NDArray[np.uint8]:
    """Return the real images that a run starts from, uint8 N × C × H × W, sorted by class.

    Those that it selected before, where it goes on; else by `image_chooser`.
    """
    targets = stages.kept_selection((int(class_counts.sum()), *part.image_shape))
    if targets is None:
        progress, ranks = supervision.on_progress, supervision.ranks
        targets = image_chooser(dataset, part, recipe, device, progress, ranks)(class_counts)
    stages.selected(targets, class_counts, dataset.class_names, part)
    return targets


def _budget_bytes(dataset: Dataset, recipe: Recipe) -> int:
    return Budget(recipe.bytes_per_class, dataset.num_classes).budget_bytes

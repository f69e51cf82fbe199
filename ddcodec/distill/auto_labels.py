"""`--labels auto`: a file with each kind of label, and the one that teaches best is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ddcodec.codec.decode import decode_bytes
from ddcodec.datasets.base import Dataset
from ddcodec.distill.labels.making import TeacherSettings, own_teacher
from ddcodec.distill.recipe.recipe import HARD_LABELS, LABELER_LABELS, NO_LOSS, SOFT_LABELS, Recipe
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.search.trials import search_path
from ddcodec.distill.start.recipe_parts import shown_training
from ddcodec.errors import BudgetError, RecipeError
from ddcodec.format.limits import UNBOUNDED
from ddcodec.training_set import TrainingSet

CANDIDATES = (HARD_LABELS, SOFT_LABELS, LABELER_LABELS)

Distil = Callable[[Recipe, Supervision], Distilled]


def distill_auto_labels(
    dataset: Dataset,
    recipe: Recipe,
    supervision: Supervision,
    device: torch.device,
    distill_one: Distil,
) -> Distilled:
    """Make a file with hard labels, one with soft labels and one with a labeler; return the best.

    All have the same budget and are judged on the validation part, with all labels they have. The
    file with a labeler holds real images: losses match classes, of which it needs none
    (docs/results/labels.md). Soft labels are those of the recipe's teacher, else of the labeler it
    takes, else of a teacher that is made for the dataset and kept in the cache. A kind of label
    that the budget has no room for is left out.

    Args:
        dataset: to distill.
        recipe: of the run.
        supervision: who watches; keeps a checkpoint for each file.
        device: where to compute.
        distill_one: makes the file of a recipe.

    Raises:
        RecipeError: if nobody judges files.
        BudgetError: if the budget has no room for any of them.
    """
    if supervision.judge_file is None:
        raise RecipeError(
            "Labels can be chosen only where some class has a second image to hold back and judge "
            "by; name them: --labels hard."
        )
    files: dict[str, Distilled] = {}
    accuracies: dict[str, float] = {}
    seconds = 0.0
    refused: BudgetError | None = None
    for labels in CANDIDATES:
        candidate = _candidate(dataset, recipe, labels, supervision, device)
        try:
            distilled = distill_one(candidate, _watched(supervision, labels))
        except BudgetError as error:
            supervision.on_notice(f"labels {labels}: {error}")
            refused = error
            continue
        files[labels] = distilled
        decoded = decode_bytes(distilled.encoded.data, UNBOUNDED)
        training_set = TrainingSet.from_decoded(decoded, None, UNBOUNDED)
        # Minutes, with a labeler.
        supervision.on_notice(
            f"labels {labels}: {distilled.size_bytes:,} bytes, on which students are trained now"
        )
        started = time.monotonic()
        accuracies[labels] = supervision.judge_file(training_set)
        seconds += distilled.seconds + time.monotonic() - started
        supervision.on_notice(f"labels {labels}: {accuracies[labels]:.1f} % on validation")
    if not files:
        assert refused is not None  # there is at least one candidate
        raise refused
    best = max(files, key=lambda labels: accuracies[labels])
    return replace(files[best], label_accuracies=accuracies, seconds=seconds)


def _candidate(
    dataset: Dataset, recipe: Recipe, labels: str, supervision: Supervision, device: torch.device
) -> Recipe:
    """Return the recipe of the file with one kind of label."""
    if labels == LABELER_LABELS:
        return replace(recipe, labels=labels, loss=NO_LOSS, loss_options={})
    if labels == HARD_LABELS or recipe.teacher is not None:
        return replace(recipe, labels=labels, labeler_from=None)
    if recipe.labeler_from is not None:
        return replace(recipe, labels=labels)
    budget_bytes = round(recipe.bytes_per_class * dataset.num_classes)
    shown = shown_training("", budget_bytes, supervision.on_progress)
    folder = own_teacher(dataset, TeacherSettings(), device, shown)
    return replace(recipe, labels=labels, teacher=str(folder))


def _watched(supervision: Supervision, labels: str) -> Supervision:
    """Return the supervision of one file, which has a checkpoint of its own."""
    if supervision.checkpoint is None:
        return supervision
    path = label_checkpoint(supervision.checkpoint, labels)
    # A search keeps its trials before there is a checkpoint.
    is_kept = path.exists() or search_path(path).exists()
    return replace(supervision, checkpoint=path, resume=supervision.resume and is_kept)


def label_checkpoint(checkpoint: Path, labels: str) -> Path:
    """Return where the run with one kind of label is kept; the first has the usual place."""
    if labels == CANDIDATES[0]:
        return checkpoint
    return checkpoint.with_name(f"{checkpoint.name}.{labels}")

"""What labels of a file will be, and what of the budget they take."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ddcodec.codec.labels.soft_labels import SoftLabels
from ddcodec.codec.parameters import NetworkTensors, coded_bits
from ddcodec.codec.stream import Content
from ddcodec.datasets.base import Dataset
from ddcodec.distill.labels.making import (
    TeacherSettings,
    load_teacher,
    make_labeler,
    own_teacher,
)
from ddcodec.distill.labels.soft_targets import SoftSettings, soft_labels_of
from ddcodec.distill.labels.taking import take_labeler
from ddcodec.distill.labels.training import LabelerSettings
from ddcodec.distill.recipe.recipe import HARD_LABELS, LABELER_LABELS, OWN_TEACHER, Recipe
from ddcodec.distill.trained.network_training import ProgressCallback
from ddcodec.errors import BudgetError
from ddcodec.format.header import LABEL_MODE_LABELER, LABEL_MODE_SOFT, Header
from ddcodec.format.labeler_layers import LabelerShape
from ddcodec.format.student_recipe import StudentRecipe

_TEACHER_BATCH = 125
RENDITIONS = 8
"""Times a student sees an image, with other details each time (docs/results/labels.md)."""

LABELER_STUDENT = StudentRecipe(
    renditions=RENDITIONS, updates=2500, batch_size=128, adamw_rate=3e-3, cutmix=0.8
)
"""How students of a labeler learn best; measured in docs/results/labels.md."""

LEAST_IMAGE_SHARE = 0.2
"""Part of the budget that labels must leave to images."""


@dataclass
class LabelPlan:
    """Labels of a run; this one is that of hard labels, which need nothing.

    Attributes:
        shape: of the labeler, if the file is to have one.
        labeler: its tensors.
        teacher: gives logits of grey levels for soft labels, if the file is to have them.
        soft: the labels it gave last.
        soft_settings: how they are made.
        accuracy: of the labeler on the validation part, in percent.
        bits: that labels take of the file.
        student: advice to whoever trains on the file.
    """

    shape: LabelerShape | None = None
    labeler: NetworkTensors | None = None
    teacher: nn.Module | None = None
    soft: SoftLabels | None = None
    soft_settings: SoftSettings = field(default_factory=SoftSettings)
    accuracy: float | None = None
    bits: float = 0.0
    student: StudentRecipe = field(default_factory=StudentRecipe)

    def look_at(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """Label images N × C × H × W of classes N as they are now, where labels are theirs."""
        if self.teacher is None:
            return
        logits = teacher_logits(self.teacher, images)
        self.soft, self.bits = soft_labels_of(logits, labels, self.soft_settings)

    def in_header(self, header: Header) -> Header:
        """Return a header that announces these labels and how to train with them."""
        header = replace(header, hints=self.student.to_hints())
        if self.shape is not None:
            return replace(header, label_mode=LABEL_MODE_LABELER, labeler_layers=self.shape.layers)
        return header if self.teacher is None else replace(header, label_mode=LABEL_MODE_SOFT)

    def in_content(self, content: Content) -> Content:
        """Return content that has these labels."""
        return replace(content, soft_labels=self.soft, labeler=self.labeler)


def with_teacher(
    dataset: Dataset, recipe: Recipe, device: torch.device, on_progress: ProgressCallback
) -> Recipe:
    """Return a recipe whose teacher is a folder, or None where nobody asks one.

    `auto` becomes the teacher in the cache, which is trained first if it is missing, for as many
    passes as a labeler is.

    Args:
        dataset: whose training part teaches.
        recipe: of the run.
        device: where to compute.
        on_progress: called while it is trained.

    Raises:
        DataError: the folder that the recipe names holds none, or one of another dataset.
        OutputError: the cache cannot be written.
    """
    if recipe.teacher is None or not recipe.needs_teacher:
        return replace(recipe, teacher=None)
    if recipe.teacher != OWN_TEACHER:
        load_teacher(dataset, Path(recipe.teacher), device)
        return recipe
    settings = TeacherSettings(training=LabelerSettings(epochs=float(recipe.labeler_epochs)))
    return replace(recipe, teacher=str(own_teacher(dataset, settings, device, on_progress)))


def plan_labels(
    dataset: Dataset,
    recipe: Recipe,
    budget_bytes: int,
    device: torch.device,
    on_progress: ProgressCallback,
) -> LabelPlan:
    """Make what the labels of a recipe need; a labeler takes its share of the budget.

    Args:
        dataset: whose training part teaches.
        recipe: of the run.
        budget_bytes: of the whole file.
        device: where to compute.
        on_progress: called while a labeler is trained.

    Raises:
        BudgetError: no labeler fits its share, or it leaves too little to images.
        DataError: the teacher is of another dataset, or the file a labeler is taken from cannot be
            read, has none, or one for other images.
        OutputError: the cache cannot be written.
    """
    student = advised_student(recipe)
    if recipe.labels == HARD_LABELS:
        return LabelPlan(student=student)
    if recipe.labels != LABELER_LABELS:
        return LabelPlan(teacher=_teacher(dataset, recipe, device), student=student)
    share = recipe.labeler_share
    if share > 1 - LEAST_IMAGE_SHARE:
        raise BudgetError(
            f"A labeler share of {share:g} leaves no room for images; give at most "
            f"{1 - LEAST_IMAGE_SHARE:g}."
        )
    share_bytes = int(share * budget_bytes)
    if recipe.labeler_from is not None:
        taken = take_labeler(Path(recipe.labeler_from), dataset, share_bytes, device)
        shape, tensors, accuracy = taken.shape, taken.tensors, taken.accuracy
    else:
        made = make_labeler(
            dataset,
            share_bytes,
            # 40 of a recipe and 40.0 of the command line are one labeler in the cache.
            LabelerSettings(epochs=float(recipe.labeler_epochs)),
            recipe.seed,
            device,
            on_progress,
            None if recipe.teacher is None else Path(recipe.teacher),
        )
        shape, tensors, accuracy = made.network.shape, made.network.tensors(), made.accuracy
    return LabelPlan(
        shape=shape,
        labeler=tensors,
        accuracy=accuracy,
        bits=sum(coded_bits(tensor) for tensor in tensors.values()),
        student=student,
    )


def advised_student(recipe: Recipe) -> StudentRecipe:
    """Return what a file advises students: all of it for a labeler, else renditions alone."""
    student = LABELER_STUDENT if recipe.labels == LABELER_LABELS else StudentRecipe()
    return replace(student, renditions=recipe.renditions or RENDITIONS)


def _teacher(dataset: Dataset, recipe: Recipe, device: torch.device) -> nn.Module:
    """Return what gives soft labels: a trained teacher, or the labeler of a file."""
    if recipe.labeler_from is not None:
        return take_labeler(Path(recipe.labeler_from), dataset, None, device).network
    assert recipe.teacher is not None  # the recipe has seen to it
    return load_teacher(dataset, Path(recipe.teacher), device)


@torch.no_grad()
def teacher_logits(teacher: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return logits N × classes of uint8 images N × C × H × W."""
    device = next(iter(teacher.state_dict().values())).device
    parts = torch.split(torch.from_numpy(images), _TEACHER_BATCH)
    logits = torch.cat([teacher(part.to(device).float()).cpu() for part in parts])
    values: NDArray[np.float64] = logits.numpy().astype(np.float64)
    return values

"""Teachers and labelers of a dataset: trained once, kept, and resumed after an interruption."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ddcodec.codec.parameters import coded_bits
from ddcodec.datasets.base import Dataset, has_validation_part
from ddcodec.distill.labels.architecture import affine_bits, labeler_shape, shape_for_budget
from ddcodec.distill.labels.trainable import TrainableLabeler
from ddcodec.distill.labels.training import LabelerSettings, LabelerTraining
from ddcodec.distill.trained import network_files, store
from ddcodec.distill.trained.network_training import ProgressCallback, TrainingProgress
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import BudgetError
from ddcodec.kept.paths import default_cache_dir
from ddcodec.kept.state import belonging
from ddcodec.kept.training import KeptTraining
from ddcodec.networks import precision

TEACHER, LABELER = "teacher", "labeler"
_TEST_BATCH = 125

WEIGHT_AIM = 0.98
"""Share of what gains and biases leave that weights are trained to take: estimates may be low."""


@dataclass(frozen=True)
class TeacherSettings:
    """What a teacher is.

    Attributes:
        last_width: channels of its last layer.
        training: how it is trained.
        seed: of everything random.
    """

    last_width: int = 160
    training: LabelerSettings = field(default_factory=LabelerSettings)
    seed: int = 0


@dataclass(frozen=True)
class Made:
    """A trained network.

    Attributes:
        network: in evaluation mode, on the device.
        accuracy: on the validation part, in percent.
    """

    network: TrainableLabeler
    accuracy: float


def make_teacher(
    dataset: Dataset,
    folder: Path,
    settings: TeacherSettings,
    device: torch.device,
    on_progress: ProgressCallback,
    is_cached: bool = False,
) -> Made:
    """Train a teacher on the training part, or load the one a folder holds.

    Args:
        dataset: its validation part is never trained on.
        folder: made where it does not exist.
        settings: of the teacher.
        device: where to compute.
        on_progress: called at every update.
        is_cached: see `store.filling`.

    Raises:
        DataError: the folder holds a teacher of another dataset or making.
        OutputError: the folder cannot be written, or its disk has no room.
    """
    network = _trained_teacher(dataset, folder, settings, device, on_progress, is_cached)
    return Made(network, validation_accuracy(network, dataset, device))


def _trained_teacher(
    dataset: Dataset,
    folder: Path,
    settings: TeacherSettings,
    device: torch.device,
    on_progress: ProgressCallback,
    is_cached: bool,
) -> TrainableLabeler:
    part = TrainingPart.of(dataset)
    shape = labeler_shape(part.image_shape, part.num_classes, settings.last_width)
    network = TrainableLabeler(shape, settings.seed, quantised=False).to(device)
    facts = {**part.facts(), **asdict(settings)}
    training = LabelerTraining(part, network, settings.training, settings.seed)
    _train(folder, TEACHER, facts, network, training, on_progress, is_cached)
    return network


def own_teacher(
    dataset: Dataset, settings: TeacherSettings, device: torch.device, on_progress: ProgressCallback
) -> Path:
    """Return the folder of a dataset's own teacher in the cache, made now if it is missing.

    Raises:
        OutputError: the cache cannot be written, or its disk has no room.
    """
    facts = {**TrainingPart.of(dataset).facts(), **asdict(settings)}
    folder = cache_folder(TEACHER, dataset.name, facts)
    _trained_teacher(dataset, folder, settings, device, on_progress, is_cached=True)
    return folder


def load_teacher(dataset: Dataset, folder: Path, device: torch.device) -> TrainableLabeler:
    """Return the teacher that `make_teacher` left in a folder.

    Raises:
        DataError: it holds none, not all of it, or one of another dataset.
    """
    part = TrainingPart.of(dataset)
    facts = store.read_complete(folder, TEACHER, part.facts())
    shape = labeler_shape(part.image_shape, part.num_classes, int(facts["last_width"]))
    network = TrainableLabeler(shape, 0, quantised=False)
    _load(network, network_files.network_file(folder, 0))
    return network.to(device).eval()


def make_labeler(
    dataset: Dataset,
    budget_bytes: int,
    settings: LabelerSettings,
    seed: int,
    device: torch.device,
    on_progress: ProgressCallback,
    teacher_folder: Path | None = None,
) -> Made:
    """Train a labeler that codes into a budget, or load it from the cache.

    Args:
        dataset: its validation part is never trained on.
        budget_bytes: of all its tensors.
        settings: of the training.
        seed: of everything random.
        device: where to compute.
        on_progress: called at every update.
        teacher_folder: of a teacher whose labels it learns besides; it is no wider than that.

    Raises:
        BudgetError: no labeler fits the budget.
        DataError: the teacher is of another dataset.
        OutputError: the cache cannot be written.
    """
    part = TrainingPart.of(dataset)
    shape = shape_for_budget(part.image_shape, part.num_classes, 8 * budget_bytes)
    teacher, identity = None, None
    limit: dict[str, Any] = {}
    if teacher_folder is not None:
        teacher = load_teacher(dataset, teacher_folder, device)
        identity = _digest(network_files.network_file(teacher_folder, 0).read_bytes())
        most_width = teacher.shape.layers[-1].channels
        if shape.layers[-1].channels > most_width:
            # Many classes have a large budget: what a class costs is not to grow with them.
            shape = labeler_shape(part.image_shape, part.num_classes, most_width)
            limit = {"last_width": most_width}
    weight_bits = WEIGHT_AIM * (8 * budget_bytes - affine_bits(shape))
    if weight_bits <= 0:
        raise BudgetError(
            f"No labeler fits {budget_bytes:,} bytes; raise the budget or --labeler-share."
        )
    network = TrainableLabeler(shape, seed).to(device)
    facts = {**part.facts(), "budget_bytes": budget_bytes, "teacher": identity, "seed": seed}
    facts |= {"training": asdict(settings), **limit}
    folder = cache_folder(LABELER, dataset.name, facts)
    training = LabelerTraining(
        part, network, settings, seed, weight_bits, None if teacher is None else _asked(teacher)
    )
    _train(folder, LABELER, facts, network, training, on_progress, is_cached=True)
    size = sum(coded_bits(tensor) for tensor in network.tensors().values()) / 8
    if size > budget_bytes:
        raise BudgetError(
            f"The labeler takes {size:,.0f} bytes, above its share of {budget_bytes:,}; train it "
            "longer with --labeler-epochs, or raise --labeler-share."
        )
    return Made(network, validation_accuracy(network, dataset, device))


def cache_folder(kind: str, name: str, facts: dict[str, Any]) -> Path:
    """Return where a network of some making is kept in the cache."""
    key = _digest(f"{store.KEPT_VERSION} {sorted(facts.items())}".encode())[:16]
    return default_cache_dir() / f"{kind}s" / f"{re.sub(r'[^A-Za-z0-9]+', '-', name)[:40]}-{key}"


@torch.no_grad()
def validation_accuracy(network: nn.Module, dataset: Dataset, device: torch.device) -> float:
    """Return the percentage of the validation part that a network in evaluation mode gets right.

    It is not a number where there is no such part.

    Args:
        network: gives logits of grey levels, and computes on the device.
        dataset: that has a validation part.
        device: where to compute.
    """
    if not has_validation_part(dataset):
        return nan
    _, rows = dataset.split_rows()
    correct = 0
    # Some at a time: the part grows with the dataset.
    for start in range(0, len(rows), _TEST_BATCH):
        some = rows[start : start + _TEST_BATCH]
        images = torch.from_numpy(np.ascontiguousarray(dataset.train.images[some]))
        found = precision.looked_at(network, images.to(device).float()).argmax(1).cpu().numpy()
        correct += int((found == dataset.train.labels[some]).sum())
    return 100.0 * correct / len(rows)


def _train(
    folder: Path,
    kind: str,
    facts: dict[str, Any],
    network: TrainableLabeler,
    training: LabelerTraining,
    on_progress: ProgressCallback,
    is_cached: bool,
) -> None:
    """Bring a network to the end of its training, from wherever the folder says it is."""
    bytes_needed = 16 * sum(value.numel() for value in network.parameters())
    file, kept = (
        network_files.network_file(folder, 0),
        network_files.network_in_training(folder, 0, is_cached),
    )
    filling = store.filling(folder, kind, facts, 1, bytes_needed, _ignore_plan, is_cached)
    with filling as missing:
        if not missing:
            _load(network, file)
            network.eval()
        else:
            _make(training, kept, kind, on_progress)
            network.eval()
            network_files.save_tensors(file, network.state_dict())
            kept.forget()


def _make(
    training: LabelerTraining, kept: KeptTraining, kind: str, on_progress: ProgressCallback
) -> None:
    kept.resume(training)
    started, before = time.monotonic(), training.done
    while training.done < training.updates:
        loss = training.update()
        done, updates = training.done, training.updates
        left = (time.monotonic() - started) / (done - before) * (updates - done)
        on_progress(TrainingProgress(kind, 0, 1, done, updates, loss, left))
        kept.keep_now_and_then(training)


def _ignore_plan(missing: int, needed: int) -> None:
    """Say nothing: there is one network."""


def _load(network: TrainableLabeler, path: Path) -> None:
    tensors = network_files.load_tensors(path, tuple(network.state_dict()))
    with belonging(path.parent, "network"):
        network.load_state_dict(tensors)


def _asked(teacher: TrainableLabeler) -> Callable[[Tensor], Tensor]:
    device = teacher.out_weight.device
    bfloat16 = precision.bfloat16_pays(device)

    @torch.no_grad()
    def ask(images: Tensor) -> Tensor:
        with precision.autocast(device, bfloat16):
            return precision.looked_at(teacher, images)

    return ask


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

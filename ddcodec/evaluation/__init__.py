"""Judging a training set: train fresh networks on it by a named protocol and test them.

To add a protocol, name its settings in `PROTOCOLS`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.errors import RecipeError
from ddcodec.evaluation.gradients import TrainingOptions
from ddcodec.evaluation.labelled_images import LabelledImages
from ddcodec.evaluation.protocols import PROTOCOLS, Protocol
from ddcodec.evaluation.report import AccuracyReport
from ddcodec.evaluation.train import accuracy, train_network


@dataclass(frozen=True)
class EvaluationProgress:
    """Where an evaluation stands.

    Attributes:
        network: Networks trained before this one.
        networks: Networks in all.
        update: Updates of this network done.
        updates: Its updates in all.
        loss: Its last training loss.
    """

    network: int
    networks: int
    update: int
    updates: int
    loss: float


def evaluate(
    training_images: Tensor | NDArray[Any],
    training_labels: Tensor | NDArray[Any],
    test_images: Tensor | NDArray[Any],
    test_labels: Tensor | NDArray[Any],
    normalisation: tuple[Sequence[float], Sequence[float]],
    protocol: str | Protocol = "standard",
    seeds: Sequence[int] | None = None,
    *,
    arch: str = "convnet",
    num_classes: int | None = None,
    device: str = "cpu",
    on_progress: Callable[[EvaluationProgress], None] | None = None,
) -> AccuracyReport:
    """Train one network per seed on a training set and test each once.

    Args:
        training_images: uint8 N×C×H×W.
        training_labels: Integers N; classes may be missing.
        test_images: uint8 M×C×H×W.
        test_labels: Integers M.
        normalisation: (mean, std) per channel, of pixels scaled to [0, 1].
        protocol: A key of `PROTOCOLS`, or settings of one's own.
        seeds: One per network; None for 0 … protocol.networks − 1.
        arch: A key of `ddcodec.networks.NETWORKS`.
        num_classes: Classes of the dataset; None for the largest label plus 1.
        device: Where to train and test.
        on_progress: Called now and then.

    Returns:
        The accuracies and all that they depend on.

    Raises:
        DataError: Images or labels are unusable, or a label is not below num_classes.
        RecipeError: The protocol or architecture is unknown, or there are no seeds.
    """
    if isinstance(protocol, str):
        if protocol not in PROTOCOLS:
            raise RecipeError(f"Unknown protocol '{protocol}'; known are: {', '.join(PROTOCOLS)}.")
        protocol = PROTOCOLS[protocol]
    seeds = tuple(range(protocol.networks) if seeds is None else seeds)
    if not seeds:
        raise RecipeError("An evaluation needs at least one seed.")
    training = _labelled(training_images, training_labels, normalisation)
    test = _labelled(test_images, test_labels, normalisation)
    if num_classes is None:
        num_classes = 1 + max(
            0, *(int(s.labels.max()) for s in (training, test) if s.labels.numel())
        )
    training.check(num_classes)
    test.check(num_classes)
    started = time.perf_counter()
    accuracies = []
    for index, seed in enumerate(seeds):
        options = TrainingOptions(device, on_progress=_report_to(on_progress, index, len(seeds)))
        network = train_network(training, num_classes, protocol, seed, arch, options)
        accuracies.append(accuracy(network, test))
    count = len(training.images)
    return AccuracyReport(
        protocol=protocol.name,
        arch=arch,
        seeds=seeds,
        accuracies=tuple(accuracies),
        label_mode="hard",
        updates=protocol.total_updates(count),
        epochs=protocol.total_epochs(count),
        num_images=count,
        seconds=time.perf_counter() - started,
    )


def _labelled(
    images: Tensor | NDArray[Any],
    labels: Tensor | NDArray[Any],
    normalisation: tuple[Sequence[float], Sequence[float]],
) -> LabelledImages:
    mean, std = normalisation
    if not isinstance(images, Tensor):
        images = torch.from_numpy(np.require(images, requirements="W"))
    if not isinstance(labels, Tensor):
        # Torch can do little with the unsigned integers that labels are often stored in.
        integers = np.issubdtype(labels.dtype, np.integer)
        labels = torch.from_numpy(labels.astype(np.int64 if integers else np.float64))
    return LabelledImages(images, labels, mean, std)


def _report_to(
    on_progress: Callable[[EvaluationProgress], None] | None, network: int, networks: int
) -> Callable[[int, int, float], None] | None:
    if on_progress is None:
        return None
    report = on_progress

    def one_network(update: int, updates: int, loss: float) -> None:
        report(EvaluationProgress(network, networks, update, updates, loss))

    return one_network


__all__ = [
    "PROTOCOLS",
    "AccuracyReport",
    "EvaluationProgress",
    "LabelledImages",
    "Protocol",
    "TrainingOptions",
    "accuracy",
    "evaluate",
    "train_network",
]

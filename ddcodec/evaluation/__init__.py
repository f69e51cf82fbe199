"""Judging a training set: train fresh networks on it by a named protocol and test them.

To add a protocol, name its settings in `PROTOCOLS`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets.base import Pixels
from ddcodec.evaluation.judge import (
    EvaluationProgress,
    EvaluationSettings,
    evaluate_labelled,
    find_protocol,
    judge,
)
from ddcodec.evaluation.protocols import PROTOCOLS, Protocol
from ddcodec.evaluation.report import AccuracyReport, Judgement
from ddcodec.evaluation.students.gradients import TrainingOptions
from ddcodec.evaluation.students.held_out import HeldOutImages, TestedOn
from ddcodec.evaluation.students.labelled_images import Labeler, LabelledImages
from ddcodec.evaluation.students.train import accuracy, train_network


def evaluate(
    training_images: Tensor | NDArray[Any],
    training_labels: Tensor | NDArray[Any],
    test_images: Tensor | Pixels,
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
    """Train one network per seed on a training set with hard labels and test each once.

    Args:
        training_images: uint8 N×C×H×W.
        training_labels: Integers N; classes may be missing.
        test_images: uint8 M×C×H×W, such as `dataset.test.images`, which may be decoded when needed.
        test_labels: Integers M.
        normalisation: (mean, std) per channel, of pixels scaled to [0, 1].
        protocol: A key of `PROTOCOLS`, or settings of one's own.
        seeds: One per network; None for 0 … protocol.networks − 1.
        arch: A name that `ddcodec.networks.parse_arch` knows.
        num_classes: Classes of the dataset; None for the largest label plus 1.
        device: Where to train and test.
        on_progress: Called now and then.

    Returns:
        The accuracies and all that they depend on.

    Raises:
        DataError: Images or labels are unusable, or a label is not below num_classes.
        RecipeError: The protocol or architecture is unknown, or there are no seeds.
    """
    protocol = find_protocol(protocol)
    seeds = tuple(range(protocol.networks) if seeds is None else seeds)
    training = _labelled(training_images, training_labels, normalisation)
    test: TestedOn
    if isinstance(test_images, Tensor):
        test = _labelled(test_images, test_labels, normalisation)
    else:
        test = HeldOutImages(test_images, _as_tensor(test_labels), *normalisation)
    if num_classes is None:
        num_classes = 1 + max(
            0, *(int(s.labels.max()) for s in (training, test) if s.labels.numel())
        )
    settings = EvaluationSettings(protocol, seeds, num_classes, arch, device, on_progress)
    return evaluate_labelled(training, test, settings)


def _labelled(
    images: Tensor | NDArray[Any],
    labels: Tensor | NDArray[Any],
    normalisation: tuple[Sequence[float], Sequence[float]],
) -> LabelledImages:
    mean, std = normalisation
    if not isinstance(images, Tensor):
        images = torch.from_numpy(np.require(images, requirements="W"))
    return LabelledImages(images, _as_tensor(labels), mean, std)


def _as_tensor(labels: Tensor | NDArray[Any]) -> Tensor:
    if isinstance(labels, Tensor):
        return labels
    # Torch can do little with the unsigned integers that labels are often stored in.
    integers = np.issubdtype(labels.dtype, np.integer)
    return torch.from_numpy(labels.astype(np.int64 if integers else np.float64))


__all__ = [
    "PROTOCOLS",
    "AccuracyReport",
    "EvaluationProgress",
    "EvaluationSettings",
    "HeldOutImages",
    "Judgement",
    "Labeler",
    "LabelledImages",
    "Protocol",
    "TestedOn",
    "TrainingOptions",
    "accuracy",
    "evaluate",
    "evaluate_labelled",
    "judge",
    "train_network",
]

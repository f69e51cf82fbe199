"""A labeler that another file already has: it serves any other budget, and as a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ddcodec.codec.labels.labeler_network import LabelerNetwork
from ddcodec.codec.parameters import NetworkTensors, coded_bits
from ddcodec.datasets.base import Dataset
from ddcodec.distill.labels.making import validation_accuracy
from ddcodec.errors import BudgetError, DataError
from ddcodec.format.labeler_layers import LabelerShape
from ddcodec.training_set import load

LEAST_GAIN = 0.1
"""Part of the way from guessing to all right that a labeler must be beyond."""


@dataclass(frozen=True)
class Taken:
    """A labeler out of a file.

    Attributes:
        shape: its architecture.
        tensors: its weights, whole numbers as they were.
        network: the same in float, in evaluation mode, on the device.
        accuracy: on the validation part, in percent.
    """

    shape: LabelerShape
    tensors: NetworkTensors
    network: LabelerNetwork
    accuracy: float


def take_labeler(
    path: Path, dataset: Dataset, budget_bytes: int | None, device: torch.device
) -> Taken:
    """Return the labeler of a file, if it is one for a dataset.

    Args:
        path: of the file.
        dataset: whose images and classes the labeler must be made for.
        budget_bytes: of all its tensors; None where they are not to be in a new file.
        device: where to compute.

    Raises:
        BudgetError: it is larger.
        DataError: the file cannot be read, has no labeler, or one for other images or classes:
            of another size or number, or little better than guessing.
        FormatError: the file is damaged.
    """
    labeler = load(path).labeler
    if labeler is None:
        raise DataError(f"'{path}' has no labeler to take; `ddc inspect` says what a file has.")
    image_shape = (dataset.channels, dataset.height, dataset.width)
    if labeler.shape.image_shape != image_shape or labeler.shape.num_classes != dataset.num_classes:
        raise DataError(
            f"The labeler of '{path}' is for {_kind(*labeler.shape.image_shape)} of "
            f"{labeler.shape.num_classes} classes, '{dataset.name}' has {_kind(*image_shape)} of "
            f"{dataset.num_classes}."
        )
    size = sum(coded_bits(tensor) for tensor in labeler.tensors.values()) / 8
    if budget_bytes is not None and size > budget_bytes:
        raise BudgetError(
            f"The labeler of '{path}' takes {size:,.0f} bytes, above its share of "
            f"{budget_bytes:,}; raise --labeler-share or the budget."
        )
    network = LabelerNetwork(labeler.shape, labeler.tensors).to(device).eval()
    accuracy = validation_accuracy(network, dataset, device)
    guessed = 100 / dataset.num_classes
    if accuracy < guessed + LEAST_GAIN * (100 - guessed):
        raise DataError(
            f"The labeler of '{path}' gets {accuracy:.1f} % of the validation images of "
            f"'{dataset.name}' right, guessing {guessed:.1f}: it was made for other classes."
        )
    return Taken(labeler.shape, labeler.tensors, network, accuracy)


def _kind(channels: int, height: int, width: int) -> str:
    return f"{channels}×{height}×{width} images"

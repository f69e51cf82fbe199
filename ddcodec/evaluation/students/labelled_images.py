"""Images with everything a file says about their classes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ddcodec import networks
from ddcodec.errors import DataError

Labeler = Callable[[Tensor], Tensor]
"""Takes normalised float N×C×H×W, any augmented or mixed view, and returns logits N×classes."""

Stages = Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]]
"""The same, which returns its feature maps N×C'×H'×W' of falling size beside the logits."""

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class LabelledImages:
    """Images with labels, and how networks are to see them.

    Attributes:
        images: uint8 N×C×H×W, or float32 that is normalised already.
        labels: Hard labels, int64 N.
        mean: Per channel, of pixels scaled to [0, 1].
        std: Per channel, of pixels scaled to [0, 1].
        soft_labels: Probabilities, float N×classes, or None.
        labeler: What labels every view that a network is trained on, or None.
        stages: The labeler with its feature maps, for protocols that match them, or None.
        renditions: Rows that show one image with other details, one after another. Whoever trains
            on them takes one at random whenever it is the image's turn.
    """

    images: Tensor
    labels: Tensor
    mean: Sequence[float]
    std: Sequence[float]
    soft_labels: Tensor | None = None
    labeler: Labeler | None = None
    renditions: int = 1
    stages: Stages | None = None

    @property
    def num_images(self) -> int:
        """Images, renditions of one counted once."""
        return len(self.labels) // self.renditions

    @property
    def label_mode(self) -> str:
        """The richest labels there are: "labeler", "soft" or "hard"."""
        if self.labeler is not None:
            return "labeler"
        return "hard" if self.soft_labels is None else "soft"

    def with_hard_labels(self) -> "LabelledImages":
        """Return the same images with their hard labels only."""
        return replace(self, soft_labels=None, labeler=None, stages=None)

    def normalised(self, device: torch.device) -> Tensor:
        """Return all images as networks see them, float32 on a device.

        Raises:
            DataError: They are neither uint8 N×C×H×W nor float32 N×C×H×W, or mean and std do not
                fit their channels.
        """
        images = self.images.to(device)
        if images.dtype == torch.float32 and images.ndim == 4:
            return images
        return networks.normalise(images, self.mean, self.std)

    def batches(self, size: int) -> "Iterator[LabelledImages]":
        """Yield all images with their hard labels in their order, `size` at a time."""
        parts = torch.split(self.images, size), torch.split(self.labels, size)
        for images, labels in zip(*parts, strict=True):
            yield LabelledImages(images, labels, self.mean, self.std)

    def check(self, num_classes: int) -> None:
        """Refuse what cannot be trained or tested on.

        Raises:
            DataError: There are no images, their labels differ in number, they are no multiple of
                the renditions, a hard label is not in 0 … num_classes − 1, or soft labels are no
                probabilities of these classes.
        """
        check_labels(self.labels, len(self.images), num_classes)
        if self.renditions < 1 or len(self.labels) % self.renditions:
            raise DataError(
                f"{len(self.labels)} images are not {self.renditions} renditions of each image."
            )
        if self.soft_labels is not None:
            check_probabilities(self.soft_labels, len(self.images), num_classes)


def check_labels(labels: Tensor, num_images: int, num_classes: int) -> None:
    """Refuse what is no hard label for each image.

    Raises:
        DataError: There are no images, their labels differ in number, or one is no integer in
            0 … num_classes − 1.
    """
    if labels.ndim != 1 or len(labels) != num_images:
        raise DataError(f"{num_images} images need as many labels, not {tuple(labels.shape)}.")
    if labels.is_floating_point():
        raise DataError("Hard labels must be integers; pass soft labels as such.")
    if not num_images:
        raise DataError("There are no images to train or test on.")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise DataError(f"Labels must lie in 0…{num_classes - 1}, not {low}…{high}.")


def check_logits(logits: Tensor, num_images: int, num_classes: int) -> None:
    """Refuse what a labeler returns if it is not logits N×classes.

    Raises:
        DataError: It is not.
    """
    if tuple(logits.shape) != (num_images, num_classes):
        raise DataError(
            f"The labeler returned {tuple(logits.shape)} for {num_images} images of "
            f"{num_classes} classes; it must return logits of each."
        )


def check_probabilities(soft_labels: Tensor, num_images: int, num_classes: int) -> None:
    """Refuse soft labels that are no probabilities, float N×classes with rows that sum to 1.

    Raises:
        DataError: They are not.
    """
    if tuple(soft_labels.shape) != (num_images, num_classes):
        raise DataError(
            f"Soft labels must have shape ({num_images}, {num_classes}), not "
            f"{tuple(soft_labels.shape)}."
        )
    if not is_probabilities(soft_labels):
        raise DataError("Soft labels must be probabilities: not negative, rows that sum to 1.")


def is_probabilities(rows: Tensor) -> bool:
    """Tell whether every row is finite, not negative and sums to 1."""
    sums = rows.double().sum(dim=1)
    return bool((rows >= 0).all() and ((sums - 1).abs() <= _SUM_TOLERANCE).all())

"""What a distillation loss is and is built from."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.errors import DataError, RecipeError


@dataclass(frozen=True)
class LossSettings:
    """Settings every distillation loss understands.

    Attributes:
        mean: Per channel, of pixels scaled to [0, 1].
        std: Per channel, of pixels scaled to [0, 1].
        num_classes: Classes of the dataset; labels are below it.
        seed: Everything random is a function of it and of the step.
        batch_real: Real images per class and draw.
        arch: A key of `ddcodec.networks.NETWORKS`.
        network_width: Channels of the networks; a narrow one makes cheaper steps.
        steps_per_network: Steps a network and its drawn augmentations are kept.
        classes_per_step: Classes whose images one step uses, or None for all.
        device: Where the networks live.
        bfloat16: Compute networks in bfloat16; None does where it pays.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_classes: int
    seed: int = 0
    batch_real: int = 128
    arch: str = "convnet"
    network_width: int = 64
    steps_per_network: int = 1
    classes_per_step: int | None = None
    device: str = "cpu"
    bfloat16: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what no loss can work with.

        Raises:
            RecipeError: A count is below 1 or the seed below 0.
        """
        if self.seed < 0:
            raise RecipeError(f"seed must be at least 0, not {self.seed}.")
        for name in ("num_classes", "batch_real", "network_width", "steps_per_network"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.classes_per_step is not None and self.classes_per_step < 1:
            raise RecipeError(f"classes_per_step must be at least 1, not {self.classes_per_step}.")


class DistillationLoss(Protocol):
    """How far the synthetic images are from teaching what the real ones teach."""

    def classes_for_step(self, step: int) -> Tensor | None:
        """Return the classes (int64, K) whose synthetic images a step wants, or None for all."""
        ...

    def __call__(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Compute the loss of a step; the same arguments always give the same loss.

        Args:
            images: Synthetic images, normalised float N×C×H×W; gradients flow to them.
            labels: Their classes, int64 N.
            step: Counts from 0; with the settings' seed it fixes every random choice.

        Returns:
            A scalar float32.
        """
        ...


class LossBuilder(Protocol):
    """Build a loss from real data: what every class of `LOSSES` is called with."""

    def __call__(
        self,
        real_images: NDArray[np.uint8],
        real_labels: NDArray[np.integer],
        settings: LossSettings,
    ) -> DistillationLoss:
        """Take real images uint8 N×C×H×W and their labels N."""
        ...


def rows_by_class(labels: NDArray[np.integer], num_classes: int) -> list[Tensor]:
    """Return for every class the rows (int64) of its images.

    Raises:
        DataError: A label is out of range.
    """
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise DataError(
            f"Labels must lie in 0…{num_classes - 1}, not {labels.min()}…{labels.max()}."
        )
    return [torch.from_numpy(np.flatnonzero(labels == k)) for k in range(num_classes)]

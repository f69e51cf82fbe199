"""What losses built from real images share: rows by class, random streams, turns of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec import networks
from ddcodec.datasets.base import Pixels
from ddcodec.distill.losses.base import DistillationLoss, LossSettings, rows_by_class
from ddcodec.distill.trained.random_streams import derived_seed, random_stream
from ddcodec.distill.trained.training_part import RowReader, row_reader, training_fingerprint
from ddcodec.errors import DataError
from ddcodec.networks import augment, precision

# What a random stream is for; mixed into its seed, so that no two streams are related.
NETWORK, REAL_ROWS, AUGMENTATION, CLASSES, OWN = range(5)


class RealDataLoss(DistillationLoss):
    """Base of losses that compare synthetic images with real ones of the same class.

    Steps go in rounds of `steps_per_network`, which share a network and a choice of classes.

    Args:
        real_images: uint8 N×C×H×W.
        real_labels: Integers N, each class of interest at least once.
        settings: See `LossSettings`.

    Raises:
        DataError: Labels are out of range, or do not match the images in number.
    """

    own_steps_per_network = 1
    """Steps of a round where the settings leave them open."""

    def __init__(
        self,
        real_images: Pixels,
        real_labels: NDArray[np.integer],
        settings: LossSettings,
    ) -> None:
        if len(real_images) != len(real_labels):
            raise DataError(f"{len(real_images)} real images have {len(real_labels)} labels.")
        self.settings = settings
        self.device = torch.device(settings.device)
        self.bfloat16 = settings.bfloat16
        if self.bfloat16 is None:
            self.bfloat16 = precision.bfloat16_pays(self.device)
        self.steps_per_network = settings.steps_per_network or self.own_steps_per_network
        channels, height, width = real_images.shape[1:]
        self._image_shape = (channels, height, width)
        self._real_rows = rows_by_class(real_labels, settings.num_classes)
        self._read_real = self._keep(real_images, real_labels)

    def _keep(self, images: Pixels, labels: NDArray[np.integer]) -> RowReader | None:
        """Return what reads real images, where they are needed at every step."""
        return row_reader(images, self.device)

    def classes_for_step(self, step: int) -> Tensor | None:
        """Return this round's `classes_per_step` out of an endless row of shuffled class lists.

        They stay for the whole round, or what was made of its real images would hardly be used.
        """
        count, total = self.settings.classes_per_step, self.settings.num_classes
        if count is None or count >= total:
            return None
        rounds_per_pass = -(-total // count)
        number, position = divmod(step // self.steps_per_network, rounds_per_pass)
        shuffled = torch.randperm(total, generator=self._stream(CLASSES, number))
        return shuffled.roll(-count * position)[:count].sort().values

    def _facts(self, images: Pixels, labels: NDArray[np.integer]) -> dict[str, Any]:
        """Return what trained networks have to agree with to be of use here."""
        return {
            "image_shape": list(self._image_shape),
            "num_classes": self.settings.num_classes,
            "fingerprint": training_fingerprint(images, labels),
            "arch": self.settings.arch,
            "network_width": self.settings.network_width,
        }

    def _draw_real(self, label: int, *purpose: int) -> Tensor:
        """Return a random batch of a class, normalised float32.

        Raises:
            DataError: The real data have no image of it.
        """
        rows = self._real_rows[label]
        if not len(rows):
            raise DataError(f"The real images have none of class {label}.")
        shuffled = torch.randperm(len(rows), generator=self._stream(REAL_ROWS, *purpose, label))
        drawn = rows[shuffled[: self.settings.batch_real]]
        assert self._read_real is not None
        real = self._read_real(drawn)
        return networks.normalise(real, self.settings.mean, self.settings.std)

    def _draw_augmentation(self, label: int, *purpose: int) -> augment.AugmentationDraw:
        stream = self._stream(AUGMENTATION, *purpose, label)
        return augment.draw(stream, batch_size=1, siamese=True)

    def _seed(self, *purpose: int) -> int:
        return derived_seed(self.settings.seed, *purpose)

    def _stream(self, *purpose: int) -> torch.Generator:
        return random_stream(self.settings.seed, *purpose)

"""Real images that networks are tested on, of which some are in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddcodec.datasets.base import ImageSplit, Pixels, images_per_chunk
from ddcodec.evaluation.students.labelled_images import LabelledImages, check_labels


@dataclass(frozen=True)
class HeldOutImages:
    """Images to test on, which are read or decoded when a network gets to them.

    Attributes:
        images: uint8 N×C×H×W, or float32 that is normalised already.
        labels: int64 N.
        mean: Per channel, of pixels scaled to [0, 1].
        std: Per channel, of pixels scaled to [0, 1].
    """

    images: Pixels
    labels: Tensor
    mean: Sequence[float]
    std: Sequence[float]

    @classmethod
    def of(cls, split: ImageSplit, mean: Sequence[float], std: Sequence[float]) -> HeldOutImages:
        """Return the images of a split, none of which is read yet."""
        labels = torch.from_numpy(np.require(split.labels, requirements="W"))
        return cls(split.images, labels, mean, std)

    def check(self, num_classes: int) -> None:
        """Refuse labels that cannot be tested on; raises DataError as `LabelledImages.check`."""
        check_labels(self.labels, len(self.images), num_classes)

    def batches(self, size: int) -> Iterator[LabelledImages]:
        """Yield all images in their order, `size` at a time, the last perhaps fewer.

        Raises:
            DataError: One cannot be read, or is not what it was.
        """
        # Whole batches: images of a table or archive are cheaper to get many at a time.
        step = size * max(1, images_per_chunk(self.images.shape) // size)
        for start in range(0, len(self.labels), step):
            read = np.require(self.images[start : start + step], requirements="W")
            labels = self.labels[start : start + step]
            part = LabelledImages(torch.from_numpy(read), labels, self.mean, self.std)
            yield from part.batches(size)


TestedOn = LabelledImages | HeldOutImages
"""What a network can be tested on."""

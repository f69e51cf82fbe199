"""A training set as code written for torchvision's datasets expects it, without torchvision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset


@dataclass(frozen=True, eq=False)
class VisionTrainingSet(Dataset[tuple[Any, Any]]):
    """Pictures and labels under the names of `torchvision.datasets.CIFAR10`.

    Item i is (picture, target): a PIL picture, grey or RGB, and an int, unless a transform makes
    something else of them.

    Attributes:
        data: uint8, N × H × W × C, or N × H × W for grey images, as in MNIST.
        targets: labels.
        classes: one name per class.
        transform: called with the PIL picture, or None.
        target_transform: called with the label, or None.
    """

    data: NDArray[np.uint8]
    targets: list[int]
    classes: list[str]
    transform: Callable[[Any], Any] | None = field(default=None)
    target_transform: Callable[[Any], Any] | None = field(default=None)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Labels by class names."""
        return {name: label for label, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from PIL import Image

        picture: Any = Image.fromarray(self.data[index])
        target: Any = self.targets[index]
        if self.transform is not None:
            picture = self.transform(picture)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return picture, target

"""The training set inside a file, ready for torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ddcodec.budget import bits_per_class
from ddcodec.codec.decode import DecodedFile
from ddcodec.format.limits import DecodeLimits
from ddcodec.inspection import decode_file, file_bytes


@dataclass(frozen=True, eq=False)
class TrainingSet(Dataset[tuple[Tensor, int]]):
    """A decoded training set; item i is (normalised image, label).

    Attributes:
        images: uint8, N × C × H × W, sorted by class.
        labels: int64, N.
        class_names: one per class; numbers where the file keeps no names.
        mean, std: per channel, of pixels scaled to [0, 1].
        file_size_bytes: size of the file all this came from.
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    file_size_bytes: int

    @classmethod
    def load(cls, path: str | Path, limits: DecodeLimits | None = None) -> TrainingSet:
        """Decode a file and check both of its checksums.

        Raises:
            DataError: if it cannot be read.
            FormatError: if it is no valid file within the limits.
        """
        return cls.from_decoded(decode_file(Path(path), limits))

    @classmethod
    def from_decoded(cls, decoded: DecodedFile) -> TrainingSet:
        """Wrap a decoded file."""
        header = decoded.header
        return cls(
            images=torch.from_numpy(np.ascontiguousarray(decoded.images)),
            labels=torch.from_numpy(decoded.labels),
            class_names=decoded.class_names,
            mean=tuple(value / 256 for value in header.mean),
            std=tuple(value / 256 for value in header.std),
            file_size_bytes=file_bytes(decoded.container),
        )

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def bits_per_class(self) -> float:
        """Bits of the file per class."""
        return bits_per_class(self.file_size_bytes, self.num_classes)

    def normalize(self) -> Tensor:
        """Return all images as network input: (x / 255 − mean) / std, float32."""
        return self._normalized(self.images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._normalized(self.images[index]), int(self.labels[index])

    def _normalized(self, images: Tensor) -> Tensor:
        mean = torch.tensor(self.mean, dtype=torch.float32)[:, None, None]
        std = torch.tensor(self.std, dtype=torch.float32)[:, None, None]
        return (images.to(torch.float32) / 255 - mean) / std

    def __repr__(self) -> str:
        count, channels, height, width = self.images.shape
        return (
            f"TrainingSet({count} images of {channels}x{height}x{width}, {self.num_classes} "
            f"classes, {self.file_size_bytes} bytes)"
        )


def load(path: str | Path, limits: DecodeLimits | None = None) -> TrainingSet:
    """Decode a `.ddc` file into a torch Dataset; see `TrainingSet.load`."""
    return TrainingSet.load(path, limits)

"""The training set inside a file, ready for torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ddcodec.budget import bits_per_class
from ddcodec.codec.decode import DecodedFile
from ddcodec.codec.labels.chosen_classes import Classes
from ddcodec.codec.renditions import draw_renditions
from ddcodec.errors import DataError
from ddcodec.format.limits import DecodeLimits
from ddcodec.format.student_recipe import StudentRecipe
from ddcodec.results.inspection import file_bytes
from ddcodec.results.reading import FileSource, decode_file
from ddcodec.training_set.labeler import Labeler
from ddcodec.training_set.vision_dataset import VisionTrainingSet

Transform = Callable[[Any], Any]
Indices = slice | Sequence[int] | Sequence[bool] | NDArray[Any] | Tensor


__all__ = ["StudentRecipe", "TrainingSet", "load"]


@dataclass(frozen=True, eq=False)
class TrainingSet(Dataset[tuple[Any, int]]):
    """A decoded training set; item i is (normalised image, label).

    A slice, indices or a mask give a training set of these images. A `DataLoader` takes it as it
    is, with workers, too.

    Attributes:
        images: uint8, N × C × H × W, sorted by class.
        labels: int64, N.
        class_names: one per class; numbers where the file keeps no names.
        mean, std: per channel, of pixels scaled to [0, 1].
        file_size_bytes: size of the file all this came from, also of a part of it.
        soft_labels: probabilities, float32 N × classes, where the file has them.
        labeler: labels any view of the images, where the file has one; see `Labeler`.
        transform: called with the normalised image of an item, C × H × W float32; None leaves it
            as it is.
        recipe: what the file advises for the training of a student.
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    file_size_bytes: int
    transform: Transform | None = None
    soft_labels: Tensor | None = None
    labeler: Labeler | None = None
    recipe: StudentRecipe = field(default_factory=StudentRecipe)

    @classmethod
    def load(
        cls,
        source: FileSource,
        limits: DecodeLimits | None = None,
        transform: Transform | None = None,
        renditions: int | None = 1,
        classes: Classes | None = None,
    ) -> TrainingSet:
        """Decode a file and check both of its checksums, or decode some of its classes.

        Args:
            source: path of the file, its bytes, or what is open for reading bytes.
            limits: bounds on what it may take; None for the defaults.
            transform: see the attribute.
            renditions: times each image is drawn, one after another, each time with other details
                (docs/format.md, section 10); None draws as many as the file advises.
            classes: names, numbers and ranges of numbers, as `cat,17,0-9` or in a list. The others
                are not drawn, and labels stay as they are. Then only the outer one of the checksums
                is compared, since the other covers all images. None for all.

        Raises:
            DataError: if it cannot be read, or has no such class.
            FormatError: if it is no valid file within the limits.
        """
        decoded = decode_file(source, limits, classes)
        return replace(cls.from_decoded(decoded, renditions, limits), transform=transform)

    @classmethod
    def from_decoded(
        cls, decoded: DecodedFile, renditions: int | None = 1, limits: DecodeLimits | None = None
    ) -> TrainingSet:
        """Wrap a decoded file; see `load`.

        Raises:
            FormatError: if the renditions exceed the limits.
        """
        header, content = decoded.header, decoded.content
        mean, std = (tuple(value / 256 for value in part) for part in (header.mean, header.std))
        soft, labeler = content.soft_labels, None
        if soft is not None:
            soft = replace(soft, logits=soft.logits[decoded.numbers])
        if header.labeler is not None and content.labeler is not None:
            labeler = Labeler(header.labeler, content.labeler, mean, std)
        training_set = cls(
            images=torch.from_numpy(np.ascontiguousarray(decoded.images)),
            labels=torch.from_numpy(decoded.labels),
            class_names=decoded.class_names,
            mean=mean,
            std=std,
            file_size_bytes=file_bytes(decoded.container),
            soft_labels=None if soft is None else torch.from_numpy(soft.probabilities),
            labeler=labeler,
            recipe=StudentRecipe.from_hints(header.hints),
        )
        count = training_set.recipe.renditions if renditions is None else renditions
        return training_set if count == 1 else training_set._drawn(decoded, count, limits)

    def _drawn(self, decoded: DecodedFile, count: int, limits: DecodeLimits | None) -> TrainingSet:
        """Return every image in `count` renditions, those of an image one after another."""
        drawn = draw_renditions(
            decoded.header, decoded.content, count, limits, self.file_size_bytes, decoded.numbers
        )
        images = drawn.swapaxes(0, 1).reshape(-1, *drawn.shape[2:])
        labels, soft = self.labels, self.soft_labels
        return replace(
            self,
            images=torch.from_numpy(np.ascontiguousarray(images)),
            labels=labels.repeat_interleave(count),
            soft_labels=None if soft is None else soft.repeat_interleave(count, dim=0),
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

    @overload
    def __getitem__(self, index: int) -> tuple[Any, int]: ...

    @overload
    def __getitem__(self, index: Indices) -> TrainingSet: ...

    def __getitem__(self, index: int | Indices) -> tuple[Any, int] | TrainingSet:
        if isinstance(index, slice) or np.ndim(index):
            return self._part(index)
        number = int(np.asarray(index))
        image = self._normalized(self.images[number])
        return image if self.transform is None else self.transform(image), int(self.labels[number])

    def _part(self, chosen: Any) -> TrainingSet:
        """Return the images of a slice, of indices or of a mask, in that order."""
        if not isinstance(chosen, slice):
            chosen = np.asarray(chosen)
            # An empty list has no type of its own.
            chosen = chosen if chosen.size else chosen.astype(np.int64)
        rows = torch.from_numpy(np.arange(len(self))[chosen].copy())
        soft = None if self.soft_labels is None else self.soft_labels[rows]
        return replace(self, images=self.images[rows], labels=self.labels[rows], soft_labels=soft)

    def by_class(self, *classes: int | str) -> TrainingSet:
        """Return the images of some classes, given by label or by name; labels stay as they are.

        Raises:
            DataError: if there is no such class.
        """
        labels = [self._label_of(which) for which in classes]
        return self._part(np.isin(self.labels.numpy(), labels))

    def _label_of(self, which: int | str) -> int:
        if isinstance(which, str) and which in self.class_names:
            return self.class_names.index(which)
        if not isinstance(which, str) and 0 <= which < self.num_classes:
            return which
        raise DataError(f"There is no class {which!r}; see class_names.")

    def to_torchvision(
        self, transform: Transform | None = None, target_transform: Transform | None = None
    ) -> VisionTrainingSet:
        """Return the same images as pictures, under the names that torchvision uses.

        Args:
            transform: called with the PIL picture of an item; that of this set is not taken over.
            target_transform: called with its label.
        """
        pixels = self.images.permute(0, 2, 3, 1).contiguous().numpy()
        if pixels.shape[3] == 1:
            pixels = pixels[..., 0]
        return VisionTrainingSet(
            pixels, self.labels.tolist(), list(self.class_names), transform, target_transform
        )

    def _normalized(self, images: Tensor) -> Tensor:
        mean, std = (
            torch.tensor(part, dtype=torch.float32, device=images.device)[:, None, None]
            for part in (self.mean, self.std)
        )
        return (images.to(torch.float32) / 255 - mean) / std

    def __repr__(self) -> str:
        count, channels, height, width = self.images.shape
        return (
            f"TrainingSet({count} images of {channels}x{height}x{width}, {self.num_classes} "
            f"classes, {self.file_size_bytes} bytes)"
        )


def load(
    source: FileSource,
    limits: DecodeLimits | None = None,
    transform: Transform | None = None,
    renditions: int | None = 1,
    classes: Classes | None = None,
) -> TrainingSet:
    """Decode a `.ddc` file, or some of its classes, into a torch Dataset.

    See `TrainingSet.load`.
    """
    return TrainingSet.load(source, limits, transform, renditions, classes)

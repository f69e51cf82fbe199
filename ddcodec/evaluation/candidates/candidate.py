"""What is to be judged, however it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ddcodec.evaluation.candidates.arrays import as_seen
from ddcodec.evaluation.students.labelled_images import LabelledImages, Stages
from ddcodec.networks.normalise import Renormalisation
from ddcodec.training_set import StudentRecipe

Normalisation = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class Candidate:
    """A training set to be judged, with labels as the dataset numbers its classes.

    Attributes:
        kind: ".ddc", "folder", "archive", ".npz", ".npy" or ".pt".
        images: uint8 N×C×H×W, or float32 of the range below; renditions of an image one after
            another.
        float_range: Key of `FLOAT_RANGES` for float images, else None.
        labels: int64 N.
        soft_labels: Probabilities, float32 N×classes, or None.
        normalisation: The mean and std that it carries, or None.
        stages: Labels any view, with feature maps, or None.
        renditions: Times each image is there.
        size_bytes: Of the file or files; that of a `.ddc` is all that is needed to train on it.
        advice: What a `.ddc` advises students.
        is_numbered: Whether its classes have numbers where the dataset's have names, so that only
            their order tells which is which.
    """

    kind: str
    images: Tensor
    labels: Tensor
    size_bytes: int
    float_range: str | None = None
    soft_labels: Tensor | None = None
    normalisation: Normalisation | None = None
    stages: Stages | None = None
    renditions: int = 1
    advice: StudentRecipe = field(default_factory=StudentRecipe)
    is_numbered: bool = False

    def labelled(self, normalisation: Normalisation) -> LabelledImages:
        """Return it as networks are trained on it; float images are neither rounded nor clipped."""
        images = self.images
        if self.float_range is not None:
            images = as_seen(images, self.float_range, normalisation)
        stages = _seen_with(self, normalisation)
        return LabelledImages(
            images,
            self.labels,
            *normalisation,
            self.soft_labels,
            None if stages is None else lambda seen: stages(seen)[0],
            self.renditions,
            stages,
        )


def _seen_with(candidate: Candidate, normalisation: Normalisation) -> Stages | None:
    """Return a labeler for images that are normalised in another way than it expects."""
    stages, own = candidate.stages, candidate.normalisation
    if stages is None or own is None or own == normalisation:
        return stages
    renormalise = Renormalisation(normalisation, own)
    return lambda images: stages(renormalise(images))

"""What is trained on and tested on when a candidate is judged, and by which recipe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddcodec.datasets.base import Dataset, ImageSplit, normalisation
from ddcodec.datasets.parts import chosen
from ddcodec.evaluation.candidates.candidate import Candidate, Normalisation
from ddcodec.evaluation.protocols import Protocol
from ddcodec.evaluation.students.held_out import HeldOutImages
from ddcodec.evaluation.students.labelled_images import LabelledImages


@dataclass(frozen=True)
class Prepared:
    """A candidate, ready to be judged.

    Attributes:
        training: The candidate as networks see it.
        test: Real images, as networks will see them.
        protocol: The recipe, with what the candidate advises where the protocol listens.
    """

    training: LabelledImages
    test: HeldOutImages
    protocol: Protocol


def prepare(
    candidate: Candidate,
    real: Dataset,
    test: ImageSplit,
    protocol: Protocol,
    given: Normalisation | None = None,
) -> Prepared:
    """Bring a candidate and real images to one normalisation.

    Args:
        candidate: To be judged.
        real: Whose training images give the normalisation where nothing else does.
        test: Images to test on.
        protocol: The recipe.
        given: Mean and std that go before the candidate's own; None for those.

    Raises:
        DataError: The candidate or the images to test on cannot be used.
    """
    mean_and_std = given or candidate.normalisation or normalisation_of(real)
    training = candidate.labelled(mean_and_std)
    training.check(real.num_classes)
    tested = HeldOutImages.of(test, *mean_and_std)
    tested.check(real.num_classes)
    advice = candidate.advice
    advised = protocol.advised(advice.adamw_rate, advice.cutmix, advice.mixup, advice.sgd_rate)
    return Prepared(training, tested, advised)


def normalisation_of(real: Dataset) -> Normalisation:
    """Return mean and std of the training images, the validation part left out."""
    known = real.training
    if known is not None:
        return list(known.mean), [max(value, 1 / 255) for value in known.std]
    rows, _ = real.split_rows()
    means, deviations = normalisation(chosen(real.train.images, rows))
    return means.tolist(), np.maximum(deviations, 1 / 255).tolist()

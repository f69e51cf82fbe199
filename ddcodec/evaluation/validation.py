"""Judging candidates while a run goes on: small networks, short training, the validation part."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.parts import validation_part
from ddcodec.evaluation.candidates.candidate import Normalisation
from ddcodec.evaluation.preparation import normalisation_of
from ddcodec.evaluation.protocols import PROTOCOLS, Protocol
from ddcodec.evaluation.students.gradients import TrainingOptions
from ddcodec.evaluation.students.held_out import HeldOutImages
from ddcodec.evaluation.students.labelled_images import LabelledImages
from ddcodec.evaluation.students.train import accuracies, train_network
from ddcodec.ranks import ALONE, Ranks
from ddcodec.training_set import TrainingSet

SELECTION = Protocol("selection", updates=300, batch_size=64, network_width=32, networks=2)
"""Not among `PROTOCOLS`: it tells better candidates from worse, and is no figure to be quoted."""

LABEL_SELECTION = replace(
    PROTOCOLS["tuned"],
    name="label selection",
    updates=800,
    batch_size=64,
    network_width=64,
    networks=1,
)
"""The same for kinds of labels: `tuned`, cut short and narrow."""


class Validation:
    """Train small networks on candidates and test them on the validation part.

    Args:
        dataset: its test images are not looked at.
        device: where to train and test.
        ranks: processes that train a share of the networks each.
    """

    def __init__(self, dataset: Dataset, device: str, ranks: Ranks = ALONE) -> None:
        self._ranks = ranks
        self._dataset = dataset
        self._num_classes = dataset.num_classes
        self._device = device

    @cached_property
    def _normalisation(self) -> Normalisation:
        return normalisation_of(self._dataset)

    @cached_property
    def _real(self) -> HeldOutImages:
        # Only now: many runs never ask.
        return HeldOutImages.of(validation_part(self._dataset), *self._normalisation)

    def __call__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
        """Return the mean percentage of validation images that the networks classify rightly.

        Args:
            images: the candidate, uint8 N×C×H×W.
            labels: its labels, N.
        """
        mean, std = self._normalisation
        training = LabelledImages(torch.from_numpy(images), torch.from_numpy(labels), mean, std)
        return self._mean_accuracy(training, self._real, SELECTION)

    def judge_file(self, training_set: TrainingSet) -> float:
        """Return the same percentage of a file, with all labels it has and as it advises.

        Args:
            training_set: of the file, as often drawn as it advises; its classes are those of the
                dataset.
        """
        own = (training_set.mean, training_set.std)
        soft, labeler = training_set.soft_labels, training_set.labeler
        advice = training_set.recipe
        training = LabelledImages(
            training_set.images,
            training_set.labels,
            *own,
            soft_labels=soft,
            labeler=labeler,
            renditions=advice.renditions,
        )
        protocol = LABEL_SELECTION.advised(advice.adamw_rate, advice.cutmix, advice.mixup)
        real = replace(self._real, mean=own[0], std=own[1])
        return self._mean_accuracy(training, real, protocol)

    def _mean_accuracy(
        self, training: LabelledImages, real: HeldOutImages, protocol: Protocol
    ) -> float:
        options = TrainingOptions(self._device, compiled=False)
        seeds = self._ranks.share(range(protocol.networks))
        found = [0.0] * protocol.networks
        # Nothing that a candidate is judged by may change the run's own randomness.
        with torch.random.fork_rng(devices=[]):
            networks = [
                train_network(training, self._num_classes, protocol, seed, options=options)
                for seed in seeds
            ]
            for seed, percentage in zip(seeds, accuracies(networks, real), strict=True):
                found[seed] = percentage
        return float(np.mean(self._ranks.summed(found)))

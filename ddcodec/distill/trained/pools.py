"""Pools of partly trained networks, with what they see in real images computed once."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddcodec.datasets.base import Dataset
from ddcodec.distill.trained import network_files, store
from ddcodec.distill.trained.class_statistics import (
    MemberStatistics,
    StatisticsTaker,
)
from ddcodec.distill.trained.network_training import (
    ProgressCallback,
    Trainer,
    TrainingProgress,
    showing,
)
from ddcodec.distill.trained.random_streams import derived_seed, random_stream
from ddcodec.distill.trained.schedule import Schedule
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.errors import RecipeError
from ddcodec.kept.training import KeptTraining
from ddcodec.networks import augment
from ddcodec.ranks import ALONE, Ranks

KIND = "pool"
SCHEDULES = {
    "muon": Schedule(
        "muon", 3e-3, batch_size=64, weight_decay=0.01, rising_until=0.02, falling_from=0.0
    ),
    "sgd": Schedule(
        "sgd", 0.02, batch_size=64, momentum=0.9, weight_decay=5e-4, falling_from=1 / 3
    ),
}
"""The last network classifies synthetic images for losses, so it is to be as good as it can be."""


MOMENTS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Parts of a training after which its network is taken into the pool."""

FEWEST_EPOCHS, MOST_EPOCHS = 3, 10
FEWEST_UPDATES = 2_000
"""A training by `muon` has at least so many, if its epochs are not the most: on CIFAR-10 they are
the fewest, 164 CPU seconds for a network that is as good to look through as one by `sgd` of ten
epochs and 600 (docs/results/hard-labels.md)."""

VERSION = 4  # raise it when the same settings make other networks or statistics
WEIGHTS = "weights"
STATISTICS = tuple(field.name for field in fields(MemberStatistics))
_TRAINING, _STATISTICS_STREAM = range(2)


@dataclass(frozen=True)
class PoolSettings:
    """What a pool is made of.

    Every training run gives one member per entry of `epochs`, the network at that time, and one
    per entry of `mixes`, a network between its initial and its last weights.

    Attributes:
        count: Training runs. Eight teach a file of 3 kB per class of CIFAR-10 about a point more
            than two (docs/results/hard-labels.md).
        epochs: When members are taken, rising; parts of an epoch are allowed, 0 is untrained.
            None takes them at `MOMENTS` of as many epochs as suit the number of images.
        mixes: Shares in (0, 1) of the last weights; the rest is the initial ones.
        draws: Fixed augmentations of every member.
        frequencies: Arguments at which characteristic functions are kept.
        optimiser: A key of `SCHEDULES`.
        arch: A key of `ddcodec.networks.NETWORKS`.
        network_width: Channels of the networks.
        seed: Everything random follows from it.
    """

    count: int = 8
    epochs: tuple[float, ...] | None = None
    mixes: tuple[float, ...] = (0.25, 0.5, 0.75)
    draws: int = 4
    frequencies: int = 256
    optimiser: str = "muon"
    arch: str = "convnet"
    network_width: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no pool.

        Raises:
            RecipeError: A count is below 1, epochs or mixes are out of range or order, or the
                optimiser is unknown.
        """
        for name in ("count", "draws", "frequencies", "network_width"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.optimiser not in SCHEDULES:
            known = " or ".join(SCHEDULES)
            raise RecipeError(f"optimiser must be {known}, not '{self.optimiser}'.")
        if self.seed < 0:
            raise RecipeError(f"seed must be at least 0, not {self.seed}.")
        if self.epochs is not None:
            rising = sorted(set(self.epochs)) == list(self.epochs)
            if not self.epochs or not rising or self.epochs[0] < 0:
                raise RecipeError(f"epochs must rise from 0 or more, not {self.epochs}.")
        if not all(0 < share < 1 for share in self.mixes):
            raise RecipeError(f"mixes must lie between 0 and 1, not {self.mixes}.")

    @property
    def members(self) -> int:
        """Networks in the pool for each training run."""
        return len(self.epochs or MOMENTS) + len(self.mixes)

    def epochs_for(self, num_images: int) -> tuple[float, ...]:
        """Return the epochs after which members are taken from a training on so many images."""
        if self.epochs is not None:
            return self.epochs
        epochs = MOST_EPOCHS
        if self.optimiser == "muon":
            wanted = FEWEST_UPDATES * SCHEDULES["muon"].batch_size / max(num_images, 1)
            epochs = min(max(math.ceil(wanted), FEWEST_EPOCHS), MOST_EPOCHS)
        return tuple(round(epochs * part, 2) for part in MOMENTS)


def make_pool(
    dataset: Dataset,
    folder: Path,
    settings: PoolSettings,
    device: torch.device,
    on_progress: ProgressCallback,
    on_plan: store.PlanCallback,
    is_cached: bool = False,
    ranks: Ranks = ALONE,
) -> None:
    """Train what is missing from a pool on the training part of a dataset.

    Complete files are kept, and a network in training every minute: interrupted runs go on.

    Args:
        dataset: Its validation part is never seen.
        folder: Made where it does not exist.
        settings: See `PoolSettings`; a larger `count` adds to a pool.
        device: Where to compute.
        on_progress: Called at every update and every member whose statistics are taken.
        on_plan: See `store.PlanCallback`.
        is_cached: See `store.filling`.
        ranks: The processes that make the pool together.

    Raises:
        RecipeError: The architecture does not fit the images.
        DataError: The folder holds a pool of another dataset or making.
        OutputError: The folder cannot be written, or its disk has no room.
    """
    part = TrainingPart.of(dataset)
    width = settings.network_width
    network = FlatNetwork(settings.arch, part.image_shape, part.num_classes, width, device)
    taker = StatisticsTaker(part, settings.draws, settings.frequencies, device)
    bytes_each = _file_bytes(network, part.num_classes, settings)
    epochs = settings.epochs_for(len(part.labels))
    facts, count = _facts(part, settings, epochs), settings.count
    plan = (count, bytes_each, on_plan, is_cached, ranks)
    with store.filling(folder, KIND, facts, *plan) as missing:
        if not missing:
            return
        trainer = Trainer(part, network, SCHEDULES[settings.optimiser], epochs[-1])
        for number in missing:
            kept = network_files.network_in_training(folder, number, is_cached)
            members = _members(trainer, settings, epochs, number, kept, on_progress)
            tensors = _statistics(members, network, taker, settings, number, on_progress)
            tensors[WEIGHTS] = torch.stack(members)
            network_files.save_tensors(network_files.network_file(folder, number), tensors)
            kept.forget()


def _statistics(
    members: list[Tensor],
    network: FlatNetwork,
    taker: StatisticsTaker,
    settings: PoolSettings,
    number: int,
    on_progress: ProgressCallback,
) -> dict[str, Tensor]:
    """Return what the members of a training run see, by the names of `MemberStatistics`."""
    started = time.monotonic()
    taken = []
    for index, weights in enumerate(members):
        stream = random_stream(settings.seed, _STATISTICS_STREAM, number, index)
        taken.append(taker.take(network.classifier(weights), stream))
        left = (time.monotonic() - started) * (len(members) / (index + 1) - 1)
        progress = (number, settings.count, index + 1, len(members), None, left)
        on_progress(TrainingProgress("statistics", *progress))
    return {name: torch.stack([getattr(one, name) for one in taken]) for name in STATISTICS}


def _members(
    trainer: Trainer,
    settings: PoolSettings,
    epochs: Sequence[float],
    number: int,
    kept: KeptTraining,
    on_progress: ProgressCallback,
) -> list[Tensor]:
    """Train one network and return the weights of its members, float32 P each."""
    stations = [round(epoch * trainer.updates_per_epoch) for epoch in epochs]
    show = showing(on_progress, number, settings.count)
    seed = derived_seed(settings.seed, _TRAINING, number)
    passed = trainer.train(seed, sorted({0, *stations}), kept, show)
    seen = dict(zip(sorted({0, *stations}), passed, strict=True))
    mixed = [torch.lerp(seen[0], seen[stations[-1]], share) for share in settings.mixes]
    return [seen[station] for station in stations] + mixed


def _facts(part: TrainingPart, settings: PoolSettings, epochs: Sequence[float]) -> dict[str, Any]:
    """Return everything a pool depends on, as JSON has it."""
    return {
        "version": VERSION,
        **part.facts(),
        "optimiser": settings.optimiser,
        "arch": settings.arch,
        "network_width": settings.network_width,
        "epochs": [float(epoch) for epoch in epochs],
        "mixes": list(settings.mixes),
        "draws": settings.draws,
        "frequencies": settings.frequencies,
        "seed": settings.seed,
    }


def tensor_shapes(
    members: int, draws: int, classes: int, network: FlatNetwork, frequencies: int
) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor in a file, by its name."""
    each, size = (members, draws), network.module.classifier.in_features
    return {
        WEIGHTS: (members, network.num_weights),
        "operations": each,
        "uniforms": (*each, augment.UNIFORMS),
        "means": (*each, classes, size),
        "spreads": (*each, classes),
        "characteristic": (*each, classes, 2, frequencies),
    }


def _file_bytes(network: FlatNetwork, num_classes: int, settings: PoolSettings) -> int:
    size = network.module.classifier.in_features
    per_class = size + 1 + 2 * settings.frequencies
    per_member = network.num_weights + settings.draws * (num_classes * per_class + 5)
    return 4 * per_member * settings.members + 4096

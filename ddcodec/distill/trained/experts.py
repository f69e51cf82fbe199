"""Expert trajectories: the weights of networks after every epoch of training on real images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddcodec.datasets.base import Dataset
from ddcodec.distill.trained import network_files, store
from ddcodec.distill.trained.network_training import ProgressCallback, Trainer, showing
from ddcodec.distill.trained.random_streams import derived_seed
from ddcodec.distill.trained.schedule import Schedule
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.errors import DataError, RecipeError
from ddcodec.kept.state import belonging, checked_count
from ddcodec.kept.training import KeptTraining
from ddcodec.ranks import ALONE, Ranks

KIND = "experts"
SCHEDULE = Schedule(learning_rate=0.01, batch_size=256)
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}

_VERSION = 2  # raise it when the same settings make other trajectories
_TRAJECTORY = "trajectory"


@dataclass(frozen=True)
class ExpertSettings:
    """What trajectories are made of; the schedule is that of Cazenavette et al., CVPR 2022.

    Attributes:
        count: Networks to train.
        epochs: Of each; weights are kept before the first and after every one.
        dtype: A key of `DTYPES`, in which weights are kept; bf16 takes half the room.
        arch: A key of `ddcodec.networks.NETWORKS`.
        network_width: Channels of the networks.
        seed: Everything random follows from it.
    """

    count: int = 10
    epochs: int = 50
    dtype: str = "bf16"
    arch: str = "convnet"
    network_width: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no experts.

        Raises:
            RecipeError: A count is below 1, the seed below 0 or the dtype unknown.
        """
        for name in ("count", "epochs", "network_width"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.seed < 0:
            raise RecipeError(f"seed must be at least 0, not {self.seed}.")
        if self.dtype not in DTYPES:
            raise RecipeError(f"dtype '{self.dtype}' is not one of {', '.join(DTYPES)}.")


def make_experts(
    dataset: Dataset,
    folder: Path,
    settings: ExpertSettings,
    device: torch.device,
    on_progress: ProgressCallback,
    on_plan: store.PlanCallback,
    ranks: Ranks = ALONE,
) -> None:
    """Train the experts that are missing from a folder, on the training part of a dataset.

    Complete files are kept, and a network in training every minute: interrupted runs go on.

    Args:
        dataset: Its validation part is never seen.
        folder: Made where it does not exist.
        settings: See `ExpertSettings`; a larger `count` adds experts.
        device: Where to compute.
        on_progress: Called at every update.
        on_plan: See `store.PlanCallback`.
        ranks: The processes that make them together.

    Raises:
        RecipeError: The architecture does not fit the images.
        DataError: The folder holds experts of another dataset or making.
        OutputError: The folder cannot be written, or its disk has no room.
    """
    part = TrainingPart.of(dataset)
    width = settings.network_width
    network = FlatNetwork(settings.arch, part.image_shape, part.num_classes, width, device)
    item = DTYPES[settings.dtype].itemsize
    bytes_each = (settings.epochs + 1) * network.num_weights * item + 2048
    facts, count = _facts(part, settings), settings.count
    plan = (count, bytes_each, on_plan)
    with store.filling(folder, KIND, facts, *plan, ranks=ranks) as missing:
        trainer = Trainer(part, network, SCHEDULE, settings.epochs)
        for number in missing:
            kept = network_files.network_in_training(folder, number, is_cached=False)
            trajectory = _train(trainer, number, settings, kept, on_progress)
            network_files.save_tensors(
                network_files.network_file(folder, number), {_TRAJECTORY: trajectory}
            )
            kept.forget()


def _train(
    trainer: Trainer,
    number: int,
    settings: ExpertSettings,
    kept: KeptTraining,
    on_progress: ProgressCallback,
) -> Tensor:
    """Return the trajectory of an expert, (epochs + 1)×P on the CPU."""
    stations = [epoch * trainer.updates_per_epoch for epoch in range(settings.epochs + 1)]
    show = showing(on_progress, number, settings.count)
    seed = derived_seed(settings.seed, number)
    return torch.stack(trainer.train(seed, stations, kept, show, DTYPES[settings.dtype]))


def _facts(part: TrainingPart, settings: ExpertSettings) -> dict[str, Any]:
    """Return everything trajectories depend on, as JSON has it."""
    return {
        "version": _VERSION,
        **part.facts(),
        "arch": settings.arch,
        "network_width": settings.network_width,
        "epochs": settings.epochs,
        "dtype": settings.dtype,
        "seed": settings.seed,
    }


class Experts:
    """Finished expert trajectories, read from their folder where they are used.

    Args:
        folder: Made by `make_experts`.
        device: Where weights go.
        wanted: Facts they have to agree with, such as the fingerprint; None agrees with anything.

    Raises:
        DataError: The folder holds no complete experts, or some of other facts.
    """

    def __init__(self, folder: Path, device: torch.device, wanted: Mapping[str, Any]) -> None:
        facts = store.read_complete(folder, KIND, {"version": _VERSION, **wanted})
        self._device = device
        with belonging(folder, KIND):
            self.epochs = checked_count(facts["epochs"], least=1)
            self.mean, self.std = tuple(facts["mean"]), tuple(facts["std"])
            self.network = FlatNetwork.of_facts(facts, device)
        self._trajectories = []
        for number in range(facts[store.COUNT]):
            file = network_files.network_file(folder, number)
            trajectory = network_files.load_tensors(file, (_TRAJECTORY,))[_TRAJECTORY]
            if trajectory.shape != (self.epochs + 1, self.network.num_weights):
                raise DataError(f"'{file}' does not belong to its experts; make them again.")
            self._trajectories.append(trajectory)

    def __len__(self) -> int:
        return len(self._trajectories)

    def weights(self, number: int, epoch: int) -> Tensor:
        """Return the weights of an expert after some epochs, float32 P on the device."""
        return self._trajectories[number][epoch].to(self._device, torch.float32)

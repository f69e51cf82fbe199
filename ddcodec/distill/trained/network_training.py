"""Train networks on real images, and hand out their way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ddcodec import networks
from ddcodec.distill.trained.derivatives import (
    GRADIENTS_TO_COMPILE,
    LossDerivatives,
    compiling_pays,
)
from ddcodec.distill.trained.random_streams import derived_seed, random_stream
from ddcodec.distill.trained.schedule import OPTIMISERS, Schedule
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.kept.state import check_like, check_rows, checked_count, restore_optimiser
from ddcodec.kept.training import KeptTraining
from ddcodec.networks import augment, precision
from ddcodec.networks.replay import Replayed

_INITIAL, _ORDER = range(2)

REPORT_EVERY = 10
"""Updates between reports of progress."""


@dataclass(frozen=True)
class TrainingProgress:
    """Where the making of some networks stands.

    Attributes:
        phase: What is being done, such as `training`.
        network: The one being made, from 0.
        networks: How many there are to be.
        step: Of the phase, from 1.
        steps: Of the phase.
        loss: Mean of the last batches, or None where nothing is trained.
        seconds_left: Of the phase.
    """

    phase: str
    network: int
    networks: int
    step: int
    steps: int
    loss: float | None
    seconds_left: float


ProgressCallback = Callable[[TrainingProgress], None]

UpdateCallback = Callable[[int, int, float, float], None]
"""Called with (updates done, updates in all, loss, seconds left)."""


def showing(on_progress: ProgressCallback, number: int, count: int) -> UpdateCallback:
    """Return what shows the training of network `number` of `count`."""

    def show(done: int, updates: int, loss: float, left: float) -> None:
        on_progress(TrainingProgress("training", number, count, done, updates, loss, left))

    return show


class Trainer:
    """Train networks of one architecture on the training part of a dataset.

    A network is a function of its seed. Training several as one batched model loses everywhere it
    was measured, by its grouped convolutions: on a CPU three of width 64 saw 245 images/s together
    and 468 one after the other, and on an H200 two of width 128 took 18 ms an update together,
    where one takes 4 to 6.

    Args:
        part: What to train on.
        network: The architecture, on the device to train on.
        schedule: How to train.
        epochs: Passes over the images that a network will be trained for, whatever their number:
            compiled or not, networks differ by rounding.
        bfloat16: Compute in bfloat16; weights stay float32. None does where it pays.
    """

    def __init__(
        self,
        part: TrainingPart,
        network: FlatNetwork,
        schedule: Schedule,
        epochs: float,
        bfloat16: bool | None = None,
    ) -> None:
        self._part = part
        self._network = network
        self._schedule = schedule
        self._device = network.device
        chosen = precision.bfloat16_pays(self._device) if bfloat16 is None else bfloat16
        # Programs are made for one shape: what is left of a batch that ends an epoch has none.
        _, height, width = part.image_shape
        images = epochs * len(part.labels)
        pays = compiling_pays(self._device, images, height * width, GRADIENTS_TO_COMPILE)
        self._whole = Replayed(LossDerivatives(network, chosen, pays).gradient, self._device)
        self._rest = LossDerivatives(network, chosen, is_compiled=False).gradient
        self._read = part.reader(self._device)

    @property
    def num_images(self) -> int:
        """Images of the training part."""
        return len(self._part.labels)

    @property
    def batch_size(self) -> int:
        """Images per update; the last batch of an epoch may be smaller."""
        return self._schedule.batch_size

    @property
    def updates_per_epoch(self) -> int:
        """Batches it takes to see every image once."""
        return -(-self.num_images // self.batch_size)

    def train(
        self,
        seed: int,
        stations: Sequence[int],
        kept: KeptTraining,
        on_update: UpdateCallback,
        dtype: torch.dtype = torch.float32,
    ) -> list[Tensor]:
        """Train a network, and return its weights at some of its updates.

        Args:
            seed: Of the network.
            stations: Numbers of updates, rising; the training ends at the last.
            kept: Where the network is while it is trained, and goes on from.
            on_update: Called now and then.
            dtype: Of what is returned.

        Returns:
            P on the CPU for each station.

        Raises:
            DataError: What was kept is damaged, and somebody named its folder.
        """
        run = NetworkRun(self, seed, stations, dtype)
        kept.resume(run)
        started, before = time.monotonic(), run.done
        while run.done < run.updates:
            loss = run.update()
            if run.done - before == 1 or run.done % REPORT_EVERY == 0 or run.done == run.updates:
                # Asking for the loss waits for the device.
                each = (time.monotonic() - started) / (run.done - before)
                on_update(run.done, run.updates, float(loss), each * (run.updates - run.done))
            kept.keep_now_and_then(run)
        return run.passed

    def initial(self, seed: int) -> Tensor:
        """Return freshly initialised weights, float32 P."""
        return self._network.initial(derived_seed(seed, _INITIAL))

    def rate(self, done: int, updates: int) -> float:
        """Return the learning rate after some of a training's updates."""
        return self._schedule.rate(done, updates)

    def tensors(self, weights: Tensor) -> list[Tensor]:
        """Return the views of a vector P that the network's parameters are."""
        return list(self._network.tensors(weights))

    def optimisers(self, parameters: Sequence[Tensor]) -> list[torch.optim.Optimizer]:
        """Return what updates the views of a vector P."""
        return OPTIMISERS[self._schedule.optimiser](self._network, parameters, self._schedule)

    def gradient(self, weights: Tensor, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the gradient P of a batch's loss, and the loss.

        On a CPU large images are taken a few at a time; a batch of 32×32 gains nothing by that.
        """
        images, labels = batch
        size = self.batch_size
        if images.device.type == "cpu":
            size = min(size, precision.micro_batch(images, precision.LOOKED_AT_PIXELS))
        gradient, loss = torch.zeros_like(weights), weights.new_zeros(())
        parts = zip(torch.split(images, size), torch.split(labels, size), strict=True)
        for part, targets in parts:
            derivatives = self._whole if len(targets) == size else self._rest
            slope, surprise = derivatives(weights, part, targets)
            gradient.add_(slope, alpha=len(targets) / len(labels))
            loss += surprise * (len(targets) / len(labels))
        return gradient, loss

    def batch(self, rows: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return augmented images of these rows, and their labels."""
        images = networks.normalise(self._read(rows), self._part.mean, self._part.std)
        draw = augment.draw(stream, len(rows), siamese=False)
        return augment.apply(images, draw), self._part.labels[rows].to(self._device)


class NetworkRun:
    """One network in training: an update at a time, and all that the next one depends on.

    Args:
        trainer: What trains it.
        seed: Of the network.
        stations: See `Trainer.train`.
        dtype: See `Trainer.train`.

    Attributes:
        done: Updates that have been made.
        passed: Weights on the CPU at the stations passed so far.
    """

    def __init__(
        self, trainer: Trainer, seed: int, stations: Sequence[int], dtype: torch.dtype
    ) -> None:
        self._trainer, self._stations, self._dtype = trainer, tuple(stations), dtype
        self._weights = trainer.initial(seed)
        self._parameters = trainer.tensors(self._weights)
        self._optimisers = trainer.optimisers(self._parameters)
        self._stream = random_stream(seed, _ORDER)
        self._pending = torch.empty(0, dtype=torch.int64)
        self.done = 0
        self.passed: list[Tensor] = []
        self._pass_by()

    @property
    def updates(self) -> int:
        """Length of the training."""
        return self._stations[-1]

    def update(self) -> Tensor:
        """Make the next update; return its loss, which the one after it may overwrite."""
        if not len(self._pending):
            self._pending = torch.randperm(self._trainer.num_images, generator=self._stream)
        size = self._trainer.batch_size
        rows, self._pending = self._pending[:size], self._pending[size:]
        batch = self._trainer.batch(rows, self._stream)
        gradient, loss = self._trainer.gradient(self._weights, batch)
        for parameter, part in zip(self._parameters, self._trainer.tensors(gradient), strict=True):
            parameter.grad = part
        rate = self._trainer.rate(self.done, self.updates)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        self.done += 1
        self._pass_by()
        return loss

    def state(self) -> dict[str, Any]:
        """Return all that the next update depends on, on the CPU."""
        return {
            "done": self.done,
            "weights": self._weights.cpu().clone(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "pending": self._pending.clone(),
            "stream": self._stream.get_state(),
            "passed": list(self.passed),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was called; something is raised for a state that does not fit."""
        done = checked_count(state["done"], most=self.updates)
        check_like(state["weights"], self._weights.cpu())
        check_rows(state["pending"], self._trainer.num_images)
        passed = sum(station <= done for station in self._stations)
        check_like(state["passed"], [self._weights.to("cpu", self._dtype)] * passed)
        self._stream.set_state(state["stream"])
        for optimiser, own in zip(self._optimisers, state["optimisers"], strict=True):
            restore_optimiser(optimiser, own)
        self._weights.copy_(state["weights"])
        self._pending, self.passed, self.done = state["pending"], state["passed"], done

    def _pass_by(self) -> None:
        if self.done in self._stations:
            self.passed.append(self._weights.to("cpu", self._dtype, copy=True))

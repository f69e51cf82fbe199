"""Train networks on real images, and hand out their way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from ddcodec import networks
from ddcodec.distill.trained.derivatives import LossDerivatives
from ddcodec.distill.trained.random_streams import derived_seed, random_stream
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.networks import augment, precision
from ddcodec.networks.replay import Replayed

_INITIAL, _ORDER = range(2)

REPORT_EVERY = 10
"""Updates between reports of progress."""


@dataclass(frozen=True)
class Schedule:
    """How networks are trained; SGD with a constant rate, DSA on every batch.

    Attributes:
        learning_rate: Of SGD.
        batch_size: Images per update; the last batch of an epoch may be smaller.
        momentum: Of SGD.
        weight_decay: Of SGD, on all weights.
    """

    learning_rate: float = 0.01
    batch_size: int = 256
    momentum: float = 0.0
    weight_decay: float = 0.0


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
        bfloat16: Compute in bfloat16; weights stay float32. None does where it pays.
    """

    def __init__(
        self,
        part: TrainingPart,
        network: FlatNetwork,
        schedule: Schedule,
        bfloat16: bool | None = None,
    ) -> None:
        self._part = part
        self._network = network
        self._schedule = schedule
        self._device = network.device
        pays = precision.bfloat16_pays(self._device)
        chosen = pays if bfloat16 is None else bfloat16
        # Programs are made for one shape: the smaller batch that ends an epoch has none.
        self._whole = Replayed(LossDerivatives(network, chosen).gradient, self._device)
        self._rest = LossDerivatives(network, chosen, is_compiled=False).gradient
        self._images = part.images.to(self._device)

    @property
    def updates_per_epoch(self) -> int:
        """Batches it takes to see every image once."""
        return -(-len(self._part.labels) // self._schedule.batch_size)

    def initial(self, seed: int) -> Tensor:
        """Return freshly initialised weights, float32 P."""
        return self._network.initial(derived_seed(seed, _INITIAL))

    def trajectory(
        self, seed: int, updates: int, on_update: Callable[[int, float, float], None]
    ) -> Iterator[Tensor]:
        """Train a network, and yield all weights after every update.

        Args:
            seed: Of the network.
            updates: How long.
            on_update: Called now and then with (updates done, loss, seconds left).

        Yields:
            float32 P.
        """
        started = time.monotonic()
        weights = self.initial(seed)
        velocity = torch.zeros_like(weights)
        for update, batch in enumerate(islice(self._batches(seed), updates), start=1):
            gradient, loss = self._gradient(weights, *batch)
            gradient = gradient.add(weights, alpha=self._schedule.weight_decay)
            velocity.mul_(self._schedule.momentum).add_(gradient)
            weights = weights.sub(velocity, alpha=self._schedule.learning_rate)
            if update == 1 or update % REPORT_EVERY == 0 or update == updates:
                # Asking for the loss waits for the device.
                elapsed = time.monotonic() - started
                on_update(update, float(loss), elapsed / update * (updates - update))
            yield weights

    def _batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield augmented batches of shuffled epochs without end."""
        stream = random_stream(seed, _ORDER)
        while True:
            order = torch.randperm(len(self._part.labels), generator=stream)
            for rows in torch.split(order, self._schedule.batch_size):
                pixels = self._images[rows.to(self._device)]
                images = networks.normalise(pixels, self._part.mean, self._part.std)
                draw = augment.draw(stream, len(rows), siamese=False)
                yield augment.apply(images, draw), self._part.labels[rows].to(self._device)

    def _gradient(self, weights: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        is_whole = len(labels) == self._schedule.batch_size
        gradient, loss = (self._whole if is_whole else self._rest)(weights, images, labels)
        return gradient, loss

"""How networks of pools and experts are trained: optimisers, and how their rates go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.networks.muon import Muon, hidden_and_others


@dataclass(frozen=True)
class Schedule:
    """How networks are trained, with DSA on every batch.

    Attributes:
        optimiser: A key of `OPTIMISERS`.
        learning_rate: The highest one.
        batch_size: Images per update; the last batch of an epoch may be smaller.
        momentum: Of `sgd`; `muon` has its own.
        weight_decay: On all weights; that of `muon` is decoupled.
        rising_until: Part of a training over which its rate rises from 0, in a line.
        falling_from: Part of a training from which on its rate falls to 0, in a line.
    """

    optimiser: str = "sgd"
    learning_rate: float = 0.01
    batch_size: int = 256
    momentum: float = 0.0
    weight_decay: float = 0.0
    rising_until: float = 0.0
    falling_from: float = 1.0

    def rate(self, done: int, updates: int) -> float:
        """Return the learning rate after some of a training's updates."""
        risen = (done + 1) / max(self.rising_until * updates, 1)
        left = (1 - done / updates) / max(1 - self.falling_from, 1e-9)
        return self.learning_rate * min(1.0, risen, left)


def _sgd(
    network: FlatNetwork, parameters: Sequence[Tensor], schedule: Schedule
) -> list[torch.optim.Optimizer]:
    decay, momentum = schedule.weight_decay, schedule.momentum
    rate = schedule.learning_rate
    return [torch.optim.SGD(parameters, lr=rate, momentum=momentum, weight_decay=decay)]


def _muon(
    network: FlatNetwork, parameters: Sequence[Tensor], schedule: Schedule
) -> list[torch.optim.Optimizer]:
    hidden, others = hidden_and_others(network.module, parameters)
    rate, decay = schedule.learning_rate, schedule.weight_decay
    adamw = torch.optim.AdamW(others, lr=rate, weight_decay=decay)
    return [Muon(hidden, rate, decay), adamw]


OPTIMISERS: dict[
    str, Callable[[FlatNetwork, Sequence[Tensor], Schedule], list[torch.optim.Optimizer]]
] = {"sgd": _sgd, "muon": _muon}
"""What trains a network whose parameters are views of one vector. Experts are what plain SGD leaves
behind; for pools Muon does as well in fewer updates (docs/results/hard-labels.md)."""

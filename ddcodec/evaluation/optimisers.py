"""Optimisers of the protocols, and how their learning rates fall."""

import math
from collections.abc import Callable

import torch

from ddcodec.evaluation.protocols import Protocol
from ddcodec.networks import Classifier


def _sgd(network: Classifier, protocol: Protocol) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        network.parameters(),
        lr=protocol.learning_rate,
        momentum=protocol.momentum,
        weight_decay=protocol.weight_decay,
    )


def _adamw(network: Classifier, protocol: Protocol) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        network.parameters(), lr=protocol.learning_rate, weight_decay=protocol.weight_decay
    )


OPTIMISERS: dict[str, Callable[[Classifier, Protocol], torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "adamw": _adamw,
}

SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "step": lambda update, updates: 1.0 if update < updates // 2 else 0.1,
    "cosine": lambda update, updates: 0.5 * (1 + math.cos(math.pi * update / updates)),
}
"""Factors of the learning rate by update, from 0, and updates in all."""


def build_optimiser(network: Classifier, protocol: Protocol) -> torch.optim.Optimizer:
    """Return the protocol's optimiser for a network."""
    return OPTIMISERS[protocol.optimiser](network, protocol)


def learning_rate(protocol: Protocol, update: int, updates: int) -> float:
    """Return the rate of an update; a warm-up rises linearly to where the schedule is."""
    warm = protocol.warmup * updates
    rise = min(1.0, (update + 1) / warm) if warm > 0 else 1.0
    return rise * SCHEDULES[protocol.schedule](update, updates) * protocol.learning_rate

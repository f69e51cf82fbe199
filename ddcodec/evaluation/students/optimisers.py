"""Optimisers of the protocols, and how their learning rates fall."""

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from ddcodec.evaluation.protocols import Protocol
from ddcodec.networks import Classifier
from ddcodec.networks.muon import Muon, hidden_and_others

Optimisers = Sequence[torch.optim.Optimizer]
"""One or more that share the parameters of a network between them."""


def _sgd(network: Classifier, protocol: Protocol) -> Optimisers:
    parameters = list(network.parameters())
    sgd = torch.optim.SGD(
        parameters,
        lr=protocol.learning_rate,
        momentum=protocol.momentum,
        weight_decay=protocol.weight_decay,
        # The only one whose rate may be a tensor without being read.
        fused=any(parameter.is_cuda for parameter in parameters),
    )
    return [sgd]


def _adamw(network: Classifier, protocol: Protocol) -> Optimisers:
    return [adamw_of(network.parameters(), protocol)]


def adamw_of(parameters: Iterable[Tensor], protocol: Protocol) -> torch.optim.Optimizer:
    """Return AdamW as a protocol sets it."""
    parameters = list(parameters)
    return torch.optim.AdamW(
        parameters,
        lr=protocol.learning_rate,
        weight_decay=protocol.weight_decay,
        capturable=any(parameter.is_cuda for parameter in parameters),
    )


def _muon(network: Classifier, protocol: Protocol) -> Optimisers:
    """Return Muon for hidden matrices and AdamW for the rest, as Muon's authors advise."""
    hidden, others = hidden_and_others(network, network.parameters())
    muon = Muon(hidden, protocol.learning_rate, protocol.weight_decay)
    return [muon, adamw_of(others, protocol)]


OPTIMISERS: dict[str, Callable[[Classifier, Protocol], Optimisers]] = {
    "sgd": _sgd,
    "adamw": _adamw,
    "muon": _muon,
}

SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "step": lambda update, updates: 1.0 if update < updates // 2 else 0.1,
    "two_steps": lambda update, updates: (
        1.0 if update < updates * 2 // 3 else 0.2 if update < updates * 5 // 6 else 0.04
    ),
    "cosine": lambda update, updates: 0.5 * (1 + math.cos(math.pi * update / updates)),
}
"""Factors of the learning rate by update, from 0, and updates in all."""


def build_optimisers(network: Classifier, protocol: Protocol) -> Optimisers:
    """Return the protocol's optimisers of a network: every parameter belongs to one of them."""
    return OPTIMISERS[protocol.optimiser](network, protocol)


def learning_rate(protocol: Protocol, update: int, updates: int) -> float:
    """Return the rate of an update; a warm-up rises linearly to where the schedule is."""
    warm = protocol.warmup * updates
    rise = min(1.0, (update + 1) / warm) if warm > 0 else 1.0
    return rise * SCHEDULES[protocol.schedule](update, updates) * protocol.learning_rate

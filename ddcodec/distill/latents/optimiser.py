"""One gradient step on latents and networks, with learning rates that fall over a phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Any

import torch
from torch import Tensor

from ddcodec.distill.latents.representation import Representation
from ddcodec.kept.state import restore_optimiser


@dataclass(frozen=True)
class LearningRates:
    """Rates at the start and the end of a phase; between them they follow half a cosine.

    Attributes:
        latents: of latents, in units of the quantisation step.
        networks: of weights.
    """

    latents: tuple[float, float]
    networks: tuple[float, float]


def cosine(ends: tuple[float, float], progress: float) -> float:
    """Return the rate at a time 0 … 1 of a phase, on half a cosine from the first to the last."""
    start, end = ends
    return end + (start - end) * (1 + cos(pi * min(progress, 1.0))) / 2


class Optimiser:
    """Adam for weights and row-wise Adam for latents, since a step touches only some images.

    Args:
        representation: its latents and networks are changed in place.
        rates: how fast.
        own: what a loss has optimised besides, at `own_rate`.
        own_rate: constant learning rate of those.
    """

    def __init__(
        self,
        representation: Representation,
        rates: LearningRates,
        own: Sequence[Tensor] = (),
        own_rate: float = 0.0,
    ) -> None:
        self._rates = rates
        self._latents = torch.optim.SparseAdam([representation.latents], lr=rates.latents[0])
        self._weights = list(representation.network_parameters())
        self._networks = torch.optim.Adam(self._weights, lr=rates.networks[0])
        self._own = torch.optim.Adam(list(own), lr=own_rate) if own else None

    def step(self, loss: Tensor, progress: float) -> None:
        """Descend once; `progress` runs from 0 to 1 over the phase."""
        for optimiser in self._all():
            optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._weights, float("inf"), error_if_nonfinite=True)
        set_rate(self._latents, cosine(self._rates.latents, progress))
        set_rate(self._networks, cosine(self._rates.networks, progress))
        for optimiser in self._all():
            optimiser.step()

    def state(self) -> list[dict[str, Any]]:
        """Return the states of all optimisers."""
        return [optimiser.state_dict() for optimiser in self._all()]

    def restore(self, states: list[dict[str, Any]]) -> None:
        """Go on where `state` was called."""
        for optimiser, state in zip(self._all(), states, strict=True):
            restore_optimiser(optimiser, state)

    def _all(self) -> list[torch.optim.Optimizer]:
        both: list[torch.optim.Optimizer] = [self._latents, self._networks]
        return both if self._own is None else [*both, self._own]


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameters of an optimiser one learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate

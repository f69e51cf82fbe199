"""One gradient step on latents and networks, with learning rates that fall over a phase."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

import torch
from torch import Tensor

from ddcodec.distill.representation import Representation


@dataclass(frozen=True)
class LearningRates:
    """Rates at the start and the end of a phase; between them they follow half a cosine.

    Attributes:
        latents: of latents, in units of the quantisation step.
        networks: of weights; None keeps them fixed.
        damping: added to Adam's denominator for latents, in units of the gradient's root mean
            square: 0 moves every latent alike, large values move them by how much they matter.
    """

    latents: tuple[float, float]
    networks: tuple[float, float] | None
    damping: float = 0.0


class Optimiser:
    """Adam for weights and row-wise Adam for latents, since a step touches only some images."""

    def __init__(self, representation: Representation, rates: LearningRates) -> None:
        self._rates = rates
        self._latents = torch.optim.SparseAdam([representation.latents], lr=rates.latents[0])
        self._weights = list(representation.network_parameters()) if rates.networks else []
        self._networks = torch.optim.Adam(self._weights, lr=1e-3) if self._weights else None

    def step(self, loss: Tensor, progress: float) -> None:
        """Descend once; `progress` runs from 0 to 1 over the phase."""
        self._latents.zero_grad()
        if self._networks:
            self._networks.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        _set_rate(self._latents, self._rates.latents, progress)
        self._damp()
        self._latents.step()  # type: ignore[no-untyped-call]
        if self._networks and self._rates.networks:
            torch.nn.utils.clip_grad_norm_(self._weights, float("inf"), error_if_nonfinite=True)
            _set_rate(self._networks, self._rates.networks, progress)
            self._networks.step()

    def _damp(self) -> None:
        for group in self._latents.param_groups:
            (latents,) = group["params"]
            gradient = latents.grad.coalesce()
            latents.grad = gradient
            group["eps"] = 1e-8 + self._rates.damping * float(
                gradient.values().square().mean().sqrt()
            )


def _set_rate(optimiser: torch.optim.Optimizer, ends: tuple[float, float], progress: float) -> None:
    start, end = ends
    rate = end + (start - end) * (1 + cos(pi * min(progress, 1.0))) / 2
    for group in optimiser.param_groups:
        group["lr"] = rate

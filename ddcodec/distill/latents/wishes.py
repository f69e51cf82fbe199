"""Where latents should be: real numbers that integers follow at a price.

A latent's wish starts where the squared error to the real image would have it; in the joint phase
the gradients of a distillation loss move it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ddcodec.distill.latents.descent import Descent, Distortion, Goal
from ddcodec.distill.latents.representation import Parameters, Representation
from ddcodec.ranks import ALONE, Ranks
from ddcodec.shares import shared

NEWTON_STEPS, NEWTON_DAMPING = 14, 0.2


class Wishes:
    """Where the latents of a set should be, and how much it matters.

    Attributes:
        values: N × P, real numbers in units of the latents.
        weights: per set, P, second derivative of the distortion by each latent.
    """

    def __init__(
        self, representation: Representation, values: Tensor, weights: list[Tensor]
    ) -> None:
        self._representation = representation
        self.values = values
        self.weights = weights

    def rescale(self, factor: float) -> None:
        """Follow latents whose steps were multiplied by a factor."""
        self.values /= factor
        self.weights = [weights * factor**2 for weights in self.weights]

    def distortion(self, networks: list[Parameters]) -> Distortion:
        """Return the weighted squared distance to the wishes; see `Goal`."""

        def squared_distance(indices: Tensor, rows: Tensor) -> Tensor:
            number = int(self._representation.image_sets[indices[0]])
            wanted = self.values[indices.to(self.values.device)]
            return 0.5 * (self.weights[number] * (rows - wanted).square()).sum(1)

        return squared_distance

    def curvature(
        self, representation: Representation, networks: list[Parameters], generator: torch.Generator
    ) -> list[Tensor]:
        """Return the weights; see `Goal`."""
        return self.weights

    def state(self) -> dict[str, Any]:
        """Return the tensors."""
        return {"values": self.values, "weights": self.weights}

    @classmethod
    def from_state(cls, representation: Representation, state: dict[str, Any]) -> Wishes:
        """Return what `state` was called on; the tensors are copied."""
        device = representation.device
        weights = [tensor.to(device, copy=True) for tensor in state["weights"]]
        return cls(representation, state["values"].to(device, copy=True), weights)


def initial_wishes(
    representation: Representation,
    goal: Goal,
    generator: torch.Generator,
    ranks: Ranks = ALONE,
) -> Wishes:
    """Return the wishes that a goal has for the latents: where their distortion is least.

    Newton steps of every latent for itself add up where the columns of neighbours overlap, so they
    are damped, and an image that they make worse goes back and takes smaller ones.
    """
    networks = representation.networks
    weights = goal.curvature(representation, networks, generator)
    distortion = goal.distortion(networks)
    values = representation.latents.detach().clone()

    def find(part: Tensor) -> list[Tensor]:
        weight = weights[int(representation.image_sets[part[0]])].clamp(min=1e-12)
        return [_newton(distortion, part, values[part.to(values.device)], weight)]

    parts = Descent(representation, networks, distortion, weights).chunks()
    for part, (rows,) in zip(parts, shared(ranks, parts, find, at_once=1), strict=True):
        values[part.to(values.device)] = rows.to(values.device)
    return Wishes(representation, values, weights)


def _newton(distortion: Distortion, indices: Tensor, start: Tensor, weight: Tensor) -> Tensor:
    """Return rows whose errors are no larger than those of the start, N × P."""
    best, least, best_slope = start, *_with_slope(distortion, indices, start)
    damping = torch.full_like(least, NEWTON_DAMPING)
    for _ in range(NEWTON_STEPS):
        rows = best - damping * best_slope / weight
        errors, slope = _with_slope(distortion, indices, rows)
        better = errors < least
        best_slope = torch.where(better, slope, best_slope)
        best = torch.where(better, rows, best)
        least = torch.where(better, errors, least)
        damping = torch.where(better, damping, damping / 2)
    return best


def _with_slope(distortion: Distortion, indices: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the errors N × 1 of rows N × P, and their gradients."""
    rows = rows.detach().requires_grad_()
    errors = distortion(indices, rows)
    (slope,) = torch.autograd.grad(errors.sum(), rows)
    return errors.detach()[:, None], slope

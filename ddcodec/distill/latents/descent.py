"""Coordinate descent on integer latents: change those by one whose change pays.

Gradients through rounding, soft or straight-through, drift: a small persistent pull moves a latent
across a threshold whose price in bits no gradient shows. Here every latent is an integer at all
times, and the full price of making it one larger or smaller is known: its own bits exactly, the
bits of the latents that see it to first order, the distortion to second order. As in the
rate-distortion optimised quantisation of video encoders, a change is made where the sum falls. Only
a random part of the changes is made at a time, because neighbours' changes are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ddcodec.codec.context.flat_estimate import FlatEstimate
from ddcodec.distill.latents.representation import Parameters, Representation
from ddcodec.entropy.laplace import SYMBOL_LIMIT, LaplaceModel
from ddcodec.ranks import ALONE, Ranks
from ddcodec.shares import shared

CHUNK_LATENTS = {"cpu": 1 << 17, "cuda": 1 << 22}
"""Latents looked at together, by one process of several; bounds the memory. On a CPU twice as many
take an eighth longer, half as many a fifth. A GPU waits for every launch."""

CONTEXT_SHARE = 0.5
"""Weight of the change in other latents' bits: of two neighbours both may be changed at once."""

PART = 0.3
"""Share of the changes that pay which one pass makes."""

NUM_PROBES = 16
PROBED_IMAGES = 64
PROBED_LATENTS = 1 << 19

Distortion = Callable[[Tensor, Tensor], Tensor]
"""(images, their latents N × P) → N, the distortion of each, differentiable in the latents."""


class Goal(Protocol):
    """What latents are moved towards."""

    def distortion(self, networks: list[Parameters]) -> Distortion:
        """Return what images lose under these networks."""
        ...

    def curvature(
        self, representation: Representation, networks: list[Parameters], generator: torch.Generator
    ) -> list[Tensor]:
        """Return per set the second derivative of the distortion by each latent, P."""
        ...


@dataclass(frozen=True)
class Moves:
    """The best change of every latent of some images, N × P.

    Attributes:
        step: −1, 0 or 1.
        rate_bits: change in bits.
        distortion: change in distortion.
        total_bits: bits of all these latents now.
        gradients: of these bits by what a descent has learn.
    """

    step: Tensor
    rate_bits: Tensor
    distortion: Tensor
    total_bits: float
    gradients: Sequence[Tensor] = ()


class Descent:
    """Look for changes of a representation's latents under given networks.

    Args:
        representation: its latents are integers.
        networks: weights of each set.
        distortion: what images lose.
        curvature: per set the second derivative of the distortion by each latent, P.
        learning: add to `grad` of the context networks the gradient of the bits that a descent
            finds, which the same evaluation gives.
        ranks: processes that look at a share of the images each, and make equal changes.
    """

    def __init__(
        self,
        representation: Representation,
        networks: list[Parameters],
        distortion: Distortion,
        curvature: list[Tensor],
        learning: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        self._representation = representation
        self.ranks = ranks
        self._networks = [
            {
                name: value if learning and name.startswith("context") else value.detach()
                for name, value in tensors.items()
            }
            for tensors in networks
        ]
        self._distortion = distortion
        self._curvature = curvature
        self._model = LaplaceModel()

    def chunks(self, indices: Tensor | None = None) -> list[Tensor]:
        """Split images (all by default) into groups of one set that fit into memory."""
        representation = self._representation
        if indices is None:
            indices = torch.arange(representation.num_images)
        chunk = CHUNK_LATENTS.get(representation.device.type, CHUNK_LATENTS["cpu"])
        per_chunk = max(1, chunk // representation.latents.shape[1])
        return [
            part
            for number in range(representation.num_sets)
            for part in torch.split(
                indices[representation.image_sets[indices] == number], per_chunk
            )
            if len(part)
        ]

    def moves(self, indices: Tensor, multiplier: float) -> Moves:
        """Return the best change of every latent of a chunk of images.

        Args:
            indices: images of one set.
            multiplier: bits that a unit of distortion is worth.
        """
        representation = self._representation
        number = int(representation.image_sets[indices[0]])
        networks, curvature = self._networks[number], self._curvature[number]
        learners = self._learners(number)
        rows = representation.latents.detach()[indices.to(representation.device)]
        rows.requires_grad_()
        (slope,) = torch.autograd.grad(self._distortion(indices, rows).sum(), rows)
        flat = representation.context.estimate_flat(networks, rows)
        own = replace(flat, values=flat.values.detach()).rate_bits(self._model)
        # With its own value held, what is left of the gradient are the latents that see it.
        others, *gradients = torch.autograd.grad(own.sum(), [rows, *learners])
        with torch.no_grad():
            steps, rates, distortions = self._best(
                flat, own, others.t(), slope.t(), curvature[:, None], multiplier
            )
        bits = float(own.detach().sum())
        return Moves(steps.t(), rates.t(), distortions.t(), bits, gradients)

    def _learners(self, number: int) -> list[Tensor]:
        return [value for value in self._networks[number].values() if value.requires_grad]

    def _best(
        self,
        flat: FlatEstimate,
        own: Tensor,
        others: Tensor,
        slope: Tensor,
        curvature: Tensor,
        multiplier: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the best steps, their rates and distortions, P × N like everything here."""
        steps, rates, distortions, costs = (torch.zeros_like(own) for _ in range(4))
        for step in (-1.0, 1.0):
            rate = CONTEXT_SHARE * step * others - own
            distortion = step * slope + 0.5 * curvature
            # The new bits are at least 0, so that most changes are too dear whatever they are.
            open_ = (rate + multiplier * distortion < costs).flatten().nonzero()[:, 0]
            values = flat.values.flatten()[open_] + step
            changed = self._model.rate_bits(
                values, flat.loc.flatten()[open_], flat.log2_scale.flatten()[open_]
            )
            rate = rate.flatten()[open_] + changed
            distortion = distortion.flatten()[open_]
            cost = rate + multiplier * distortion
            better = (cost < costs.flatten()[open_]) & (values.abs() < SYMBOL_LIMIT)
            places = open_[better]
            steps.view(-1)[places] = step
            rates.view(-1)[places] = rate[better]
            distortions.view(-1)[places] = distortion[better]
            costs.view(-1)[places] = cost[better]
        return steps, rates, distortions

    def descend(
        self, multiplier: float, generator: torch.Generator, indices: Tensor | None = None
    ) -> float:
        """Make a random part of the changes that pay; return the bits of these latents before."""
        latents = self._representation.latents
        total_bits = 0.0
        parts = self.chunks(indices)

        def look(part: Tensor) -> list[Tensor]:
            moves = self.moves(part, multiplier)
            bits = torch.tensor(moves.total_bits, dtype=torch.float64)
            return [moves.step.to(torch.int8), bits, *moves.gradients]

        looks = shared(self.ranks, parts, look, at_once=1)
        for part, (step, bits, *gradients) in zip(parts, looks, strict=True):
            total_bits += float(bits)
            chance = torch.rand(step.shape, generator=generator, device=latents.device)
            with torch.no_grad():
                latents[part.to(latents.device)] += step.to(latents) * (chance < PART)
            self._learn(int(self._representation.image_sets[part[0]]), gradients)
        return total_bits

    def _learn(self, number: int, gradients: Sequence[Tensor]) -> None:
        for parameter, gradient in zip(self._learners(number), gradients, strict=True):
            added = gradient.to(parameter.device)
            parameter.grad = added if parameter.grad is None else parameter.grad + added


def image_curvature(
    representation: Representation, networks: list[Parameters], generator: torch.Generator
) -> list[Tensor]:
    """Estimate per set the second derivative of the squared error of images by each latent.

    It is twice the squared norm of the latent's column of the Jacobian, estimated with random
    signs (Hutchinson 1990) and averaged over images, not over positions: columns at the border of
    an image are up to half again as long as in its middle, or as short.

    Returns:
        One tensor P for each set.
    """
    result = []
    for number, parameters in enumerate(networks):
        members = (representation.image_sets == number).nonzero()[:, 0]
        fixed = {name: value.detach() for name, value in parameters.items()}
        some = representation.some(members, PROBED_IMAGES, PROBED_LATENTS)
        chosen = some.to(representation.device)
        rows = representation.latents.detach()[chosen]
        rows.requires_grad_()
        images = representation.synthesis.render(fixed, rows)
        total = torch.zeros(rows.shape[1], device=rows.device)
        for _ in range(NUM_PROBES):
            coins = torch.rand(images.shape, generator=generator, device=rows.device) < 0.5
            (column,) = torch.autograd.grad(
                (images * (2.0 * coins - 1)).sum(), rows, retain_graph=True
            )
            total += column.square().mean(0) / NUM_PROBES
        result.append(2 * total)
    return result

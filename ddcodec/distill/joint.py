"""Phase 2: real numbers that a distillation loss moves, and integers that follow them at a price.

Every latent has a *wish*, a real number that starts where the squared error to the real image would
have it. A step renders images from the integers, moves the wishes of these images down the gradient
of the loss, and lets the integers follow their wishes by coordinate descent, which charges every
change its bits. So a wish must grow until it is worth its price, and what a gradient repeats adds
up while its noise cancels; gradients through rounding cannot tell the two apart.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ddcodec.distill.descent import Descent, Distortion, Goal
from ddcodec.distill.rate_control import RateController
from ddcodec.distill.representation import Parameters, Representation
from ddcodec.distill.utilities import Distillation

JOINT_GAIN = 12.0
"""Integral gain of rate control times the steps of a joint phase, which starts at its target."""

NEWTON_STEPS, NEWTON_DAMPING = 14, 0.2
LONGEST_STEP = 3.0
"""Largest change of one image, in units of the usual one."""

CONTEXT_RATE = 1e-3
LOSS_RATE = 0.05
"""Learning rate of what a loss has optimised itself, such as the log of the student's rate."""

StepReport = Callable[[int, float, float], None]
"""(step, estimated bits of all latents, loss)"""


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


@torch.enable_grad()
def initial_wishes(
    representation: Representation, goal: Goal, generator: torch.Generator
) -> Wishes:
    """Return the wishes that a goal has for the latents: where their distortion is least.

    Newton steps of every latent for itself add up where the columns of neighbours overlap, so they
    are damped, and an image that they make worse goes back and takes smaller ones.
    """
    networks = representation.networks
    weights = goal.curvature(representation, networks, generator)
    distortion = goal.distortion(networks)
    values = representation.latents.detach().clone()
    for part in Descent(representation, networks, distortion, weights).chunks():
        weight = weights[int(representation.image_sets[part[0]])].clamp(min=1e-12)
        places = part.to(values.device)
        values[places] = _newton(distortion, part, values[places], weight)
    return Wishes(representation, values, weights)


def _newton(distortion: Distortion, indices: Tensor, start: Tensor, weight: Tensor) -> Tensor:
    """Return rows whose errors are no larger than those of the start, N × P."""
    best = start
    best_slope: Tensor | None = None
    least = torch.full((len(start), 1), float("inf"), device=start.device)
    damping = torch.full_like(least, NEWTON_DAMPING)
    rows = start
    for _ in range(NEWTON_STEPS + 1):
        rows = rows.detach().requires_grad_()
        errors = distortion(indices, rows)
        (slope,) = torch.autograd.grad(errors.sum(), rows)
        better = errors.detach()[:, None] < least
        best_slope = slope if best_slope is None else torch.where(better, slope, best_slope)
        best = torch.where(better, rows.detach(), best)
        least = torch.where(better, errors.detach()[:, None], least)
        damping = torch.where(better, damping, damping / 2)
        rows = best - damping * best_slope / weight
    return best


def optimise_jointly(
    representation: Representation,
    wishes: Wishes,
    utility: Distillation,
    steps: int,
    speed: float,
    multiplier: float,
    target_bits: float,
    generator: torch.Generator,
    report: StepReport,
) -> float:
    """Move wishes by a distillation loss and integers after them; return λ at the end.

    Args:
        representation: latents are integers and stay so; changed in place.
        wishes: changed in place.
        utility: the distillation loss on rendered images.
        steps: gradient steps.
        speed: root mean square of the change of pixels (0 … 1) in the first step.
        multiplier: λ, the bits that a unit of squared error is worth.
        target_bits: for all latents together.
        generator: which changes are made.
        report: called after every step.
    """
    controller = RateController(multiplier, JOINT_GAIN / steps)
    contexts = [
        value
        for networks in representation.networks
        for name, value in networks.items()
        if name.startswith("context")
    ]
    own = list(utility.parameters)
    groups = [{"params": contexts, "lr": CONTEXT_RATE}]
    groups += [{"params": own, "lr": LOSS_RATE}] if own else []
    optimiser = torch.optim.Adam(groups)
    scale = 0.0
    for step in range(steps):
        indices = utility.indices_for_step(step)
        rendering = representation.render(indices, _unchanged)
        loss = utility(rendering, step)
        gradient, *own_gradients = torch.autograd.grad(
            loss, [representation.latents, *own], retain_graph=True
        )
        optimiser.zero_grad()
        for parameter, slope in zip(own, own_gradients, strict=True):
            parameter.grad = slope
        (rendering.rate_bits / len(indices)).backward(inputs=contexts)  # type: ignore[no-untyped-call]
        optimiser.step()
        rows = gradient.coalesce()
        scale = _move(wishes, representation, rows, speed * (1 - step / steps), scale, step)
        descent = Descent(
            representation,
            representation.networks,
            wishes.distortion(representation.networks),
            wishes.weights,
        )
        bits = descent.descend(controller.multiplier, generator, indices)
        bits *= representation.num_images / len(indices)
        controller.update(bits, target_bits)
        report(step, bits, float(loss.detach()))
    return controller.multiplier


def _move(
    wishes: Wishes,
    representation: Representation,
    rows: Tensor,
    speed: float,
    scale: float,
    step: int,
) -> float:
    """Move wishes as gradient descent on pixels would; return the running size of its steps.

    Dividing by the squared norm of a latent's column, half its weight, makes a step on latents the
    same as one on pixels, whatever the gain of a level.
    """
    (indices,), gradient = rows.indices(), rows.values()
    sets = representation.image_sets.to(indices.device)[indices]
    weights = torch.stack(wishes.weights)[sets].clamp(min=1e-12)
    change = gradient / (0.5 * weights)
    pixels = representation.values_per_image
    sizes = (0.5 * weights * change.square()).sum(1).div(pixels).sqrt()
    size = float(sizes.square().mean().sqrt())
    scale = size if step == 0 else 0.9 * scale + 0.1 * size
    held = (LONGEST_STEP * scale / sizes.clamp(min=1e-30)).clamp(max=1.0)
    wishes.values[indices] -= speed / max(scale, 1e-30) * held[:, None] * change
    return scale


def _unchanged(latents: Tensor) -> Tensor:
    return latents

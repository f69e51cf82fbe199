"""Phase 2: real numbers that a distillation loss moves, and integers that follow them at a price.

Every latent has a *wish*, a real number that starts where the squared error to the real image would
have it. A step renders images from the integers, moves the wishes of these images down the gradient
of the loss, and lets the integers follow their wishes by coordinate descent, which charges every
change its bits. So a wish must grow until it is worth its price, and what a gradient repeats adds
up while its noise cancels; gradients through rounding cannot tell the two apart.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ddcodec.distill.joint.joint_phase import LOSS_RATE, JointPhase
from ddcodec.distill.joint.loss_gradient import loss_gradient
from ddcodec.distill.latents.descent import Descent
from ddcodec.distill.latents.details import drawn_details
from ddcodec.distill.rate.rate_control import RateController
from ddcodec.distill.running.phase import State
from ddcodec.distill.running.weight_rate import WeightRate
from ddcodec.distill.trained.random_streams import random_stream
from ddcodec.kept.state import check_like, restore_optimiser

GAIN = 0.15
"""Integral gain of rate control for a visit to every image: however many steps there are, the rate
answers λ within a few visits. One that fell with the number of steps left the rate 10 % above its
target for a thousand steps."""

LONGEST_STEP = 3.0
"""Largest change of one image, in units of the usual one."""

LONGEST_WAY = 4.0
"""Sum of the changes of an image's pixels, root mean square, over a phase whose every step moves
it: 800 visits from 0.01 down to 0 have that. Longer ways have not been tried."""

SHORTEST_WAY, FASTEST = 0.5, 0.03
"""Few visits begin faster, for that way if they can: 300 steps at 10 kB per class of CIFAR-10, 30
visits, teach 63.5 % from 0.01 down, 66.2 from 0.03 (docs/results/hard-labels.md). Faster ones have
not been tried."""

CONTEXT_RATE = 1e-3

_DETAILS = 102
"""Purpose of a random stream."""


def first_speed(speed: float, visits: float, sees_all_images: bool) -> float:
    """Return the speed of a phase's first step, for a way neither too short nor too long.

    Args:
        speed: the usual one.
        visits: how often the phase moves an image.
        sees_all_images: whether every step moves them all.
    """
    speed = max(speed, min(FASTEST, 2 * SHORTEST_WAY / visits))
    return min(speed, 2 * LONGEST_WAY / visits) if sees_all_images else speed


class Joint(JointPhase):
    """Move wishes by a distillation loss and integers after them."""

    def _begin(self) -> None:
        run = self._run
        run.wishes = run.wishes_for_likeness()
        latents = run.representation.latents.detach()
        bits = run.estimated_latent_bits(latents, run.representation.networks)
        count = run.representation.num_images
        self._image_bits = torch.full((count,), bits / count)
        self._visited_share = 1.0
        self._scale = 0.0
        self._weight_rate = WeightRate.of(run)
        self._controller: RateController | None = None
        self._optimiser = self._new_optimiser()

    def _new_controller(self) -> RateController:
        if self._run.fixed_multiplier:
            return RateController.fixed(self._run.multiplier)
        return RateController(self._run.multiplier, GAIN * self._visited_share)

    def _new_optimiser(self) -> torch.optim.Adam:
        groups = [{"params": self._contexts(), "lr": CONTEXT_RATE}]
        own = list(self._utility.parameters)
        return torch.optim.Adam(groups + ([{"params": own, "lr": LOSS_RATE}] if own else []))

    def _contexts(self) -> list[Tensor]:
        return [
            value
            for networks in self._run.representation.networks
            for name, value in networks.items()
            if name.startswith("context")
        ]

    def _make_step(self) -> tuple[float, float, int]:
        run, representation = self._run, self._run.representation
        indices = self._utility.indices_for_step(self._step)
        details = self._details(indices)
        found = loss_gradient(representation, self._utility, indices, details, self._step)
        self._optimiser.zero_grad()
        self._move(found.images, found.rows)
        bits = self._follow(indices)
        self._learn(len(indices), dict(zip(self._utility.parameters, found.own, strict=True)))
        run.multiplier = self._control(bits, len(indices))
        return bits, found.loss, len(indices)

    def _details(self, indices: Tensor) -> Tensor | None:
        if not self._settings.details:
            return None
        generator = random_stream(self._run.seed, _DETAILS, self._step)
        return drawn_details(self._run.representation, indices, generator)

    def _learn(self, num_images: int, gradients: dict[Tensor, Tensor]) -> None:
        """Train context models by what the descent left, and what the loss has besides."""
        representation, contexts = self._run.representation, self._contexts()
        if self._weight_rate is not None:
            bits = self._weight_rate.bits(representation.networks) * num_images
            (bits / representation.num_images).backward(inputs=contexts)  # type: ignore[no-untyped-call]
        for parameter, slope in gradients.items():
            parameter.grad = slope
        self._optimiser.step()

    def _move(self, indices: Tensor, gradient: Tensor) -> None:
        """Move wishes as gradient descent on pixels would, by steps that fade over the phase.

        Dividing by the squared norm of a latent's column, half its weight, makes a step on latents
        the same as one on pixels, whatever the gain of a level.
        """
        representation, wishes = self._run.representation, self._run.wishes
        assert wishes is not None
        sets = representation.image_sets.to(indices.device)[indices]
        weights = torch.stack(wishes.weights)[sets].clamp(min=1e-12)
        change = gradient / (0.5 * weights)
        pixels = representation.values_per_image
        sizes = (0.5 * weights * change.square()).sum(1).div(pixels).sqrt()
        size = float(sizes.square().mean().sqrt())
        self._scale = size if self._step == 0 else 0.9 * self._scale + 0.1 * size
        held = (LONGEST_STEP * self._scale / sizes.clamp(min=1e-30)).clamp(max=1.0)
        visits = self._steps * len(indices) / representation.num_images
        speed = first_speed(self._settings.speed, visits, self._utility.sees_all_images)
        speed *= 1 - self._step / self._steps
        wishes.values[indices] -= speed / max(self._scale, 1e-30) * held[:, None] * change

    def _follow(self, indices: Tensor) -> float:
        """Let the integers of some images follow; return the bits of all, as last seen."""
        run, representation, wishes = self._run, self._run.representation, self._run.wishes
        assert wishes is not None
        networks = representation.networks
        distortion = wishes.distortion(networks)
        weights, ranks = wishes.weights, run.ranks
        descent = Descent(representation, networks, distortion, weights, True, ranks)
        bits = descent.descend(run.multiplier, run.generator, indices)
        # Classes differ in what they cost: those of other steps count with what they cost then.
        self._image_bits[indices] = bits / len(indices)
        return float(self._image_bits.sum())

    def _control(self, bits: float, num_images: int) -> float:
        if self._controller is None:
            self._visited_share = num_images / self._run.representation.num_images
            self._controller = self._new_controller()
        return self._controller.update(bits, self._run.target_bits)

    def _own_state(self) -> State:
        controller, rate = self._controller, self._weight_rate
        return {
            "scale": self._scale,
            "visited_share": self._visited_share,
            "image_bits": self._image_bits,
            "controller": None if controller is None else controller.state(),
            "optimiser": self._optimiser.state_dict(),
            "weight_rate": None if rate is None else rate.state(),
        }

    def _restore_own(self, state: State) -> None:
        images = torch.zeros(self._run.representation.num_images)
        check_like(state["image_bits"], images, "image_bits")
        check_like([state["scale"], state["visited_share"]], [1.0, 1.0], "scale")
        self._scale = state["scale"]
        self._visited_share = state["visited_share"]
        self._image_bits = state["image_bits"].clone()
        self._controller = None
        if state["controller"] is not None:
            self._controller = self._new_controller()
            self._controller.restore(state["controller"])
        self._optimiser = self._new_optimiser()
        restore_optimiser(self._optimiser, state["optimiser"])
        self._weight_rate = WeightRate.from_state(self._run, state["weight_rate"])

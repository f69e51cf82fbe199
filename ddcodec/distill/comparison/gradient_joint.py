"""Phase 2 as in the paper: gradients of rate and loss through a stand-in for rounding.

Here for comparison (arXiv 2507.17221, joint optimisation): latents are real numbers, moved together
with the networks to minimise rate + λ · loss, and rounded at the end.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ddcodec.codec.quantizer import SoftQuantizer, StraightThrough
from ddcodec.distill.joint.joint_phase import LOSS_RATE, JointPhase, JointSettings
from ddcodec.distill.latents.optimiser import LearningRates, Optimiser
from ddcodec.distill.latents.representation import Quantizer
from ddcodec.distill.latents.wishes import Wishes
from ddcodec.distill.rate.rate_control import RateController
from ddcodec.distill.rate.utilities import Distillation
from ddcodec.distill.running.phase import State
from ddcodec.distill.running.run import Run

RATES = LearningRates(latents=(0.05, 0.005), networks=(1e-3, 1e-4))

SOFT, STRAIGHT_THROUGH = "soft", "ste"


class GradientJoint(JointPhase):
    """Move latents and networks by gradients of rate and loss.

    λ starts where both terms pull equally hard on the latents and follows the rate from there.

    Args:
        run: see `JointPhase`.
        utility: likewise.
        settings: likewise; the speed is Adam's here.
        quantizer: `soft` (annealed soft rounding with noise) or `ste` (straight-through).
    """

    def __init__(
        self, run: Run, utility: Distillation, settings: JointSettings, quantizer: str
    ) -> None:
        super().__init__(run, utility, settings)
        self._quantizer_name = quantizer
        self._controller: RateController | None = None

    def _begin(self) -> None:
        self._optimiser = self._new_optimiser()

    def _new_optimiser(self) -> Optimiser:
        own = self._utility.parameters
        return Optimiser(self._run.representation, RATES, own, LOSS_RATE)

    def _quantizer(self) -> Quantizer:
        if self._quantizer_name == STRAIGHT_THROUGH:
            return StraightThrough()
        hardness = self._step / self._steps
        return SoftQuantizer(0.3 - 0.2 * hardness, 2.0 - hardness, self._run.generator)

    def _make_step(self) -> tuple[float, float, int]:
        run, representation = self._run, self._run.representation
        indices = self._utility.indices_for_step(self._step)
        rendering = representation.render(indices, self._quantizer())
        loss = self._utility(rendering, self._step)
        rate = rendering.rate_bits / len(indices)
        bits = representation.num_images * float(rate.detach())
        if self._controller is None:
            start = self._balance(loss, rate)
            steady = RateController.fixed(run.multiplier)
            moving = RateController.for_steps(start, self._steps)
            self._controller = steady if run.fixed_multiplier else moving
        weight = self._controller.update(bits, run.target_bits)
        self._optimiser.step((weight * loss + rate) / (1 + weight), self._step / self._steps)
        return bits, float(loss.detach()), len(indices)

    def _balance(self, loss: Tensor, rate: Tensor) -> float:
        """Return the λ at which loss and rate have gradients of one size."""
        latents = self._run.representation.latents
        sizes = [
            float(
                torch.autograd.grad(term, latents, retain_graph=True)[0].coalesce().values().norm()
            )
            for term in (rate, loss)
        ]
        return sizes[0] / max(sizes[1], 1e-30)

    def _end(self) -> None:
        run, representation = self._run, self._run.representation
        weights = run.likeness.curvature(representation, representation.networks, run.generator)
        run.wishes = Wishes(representation, representation.latents.detach().clone(), weights)
        representation.latents.data.copy_(representation.rounded_latents())

    def _own_state(self) -> State:
        controller = self._controller
        return {
            "controller": None if controller is None else controller.state(),
            "optimiser": self._optimiser.state(),
        }

    def _restore_own(self, state: State) -> None:
        self._optimiser = self._new_optimiser()
        self._optimiser.restore(state["optimiser"])
        self._controller = None
        if state["controller"] is not None:
            self._controller = RateController.for_steps(1.0, self._steps)
            if self._run.fixed_multiplier:
                self._controller = RateController.fixed(1.0)
            self._controller.restore(state["controller"])

"""The first fit of a pyramid, whose latents no transform of the image can give: by gradients.

Latents are real numbers under soft rounding with noise (arXiv 2507.17221, initialisation) and
become integers at the end.
"""

from __future__ import annotations

import time

from ddcodec.codec.quantizer import SoftQuantizer
from ddcodec.distill.latents.optimiser import LearningRates, Optimiser
from ddcodec.distill.rate.rate_control import RateController
from ddcodec.distill.running.phase import State, Step
from ddcodec.distill.running.run import Run
from ddcodec.kept.state import check_like, checked_counts

FIRST_MULTIPLIER = 12.0
"""λ at the start. Starting above the final rate costs quality that does not come back."""

WARMUP = 0.35
RATES = LearningRates(latents=(0.15, 0.015), networks=(1e-2, 1e-3))

TIMED_STEPS = 4
"""Steps after which a run that has a time to meet fixes how many there are."""


class GradientStart:
    """Fit latents and networks to real images at a rate and round the latents.

    Args:
        run: its latents, networks and λ are changed.
        steps: gradient steps, unless the run's plan says otherwise.
    """

    name = "start"

    def __init__(self, run: Run, steps: int) -> None:
        self._run = run
        self._steps = steps
        self._step = 0
        self._is_done = False
        self._controller = self._new_controller()
        self._optimiser = Optimiser(run.representation, RATES)

    def _new_controller(self) -> RateController:
        if self._run.fixed_multiplier:
            return RateController.fixed(self._run.multiplier)
        return RateController.for_steps(FIRST_MULTIPLIER, self._steps, warmup=WARMUP)

    def advance(self) -> Step | None:
        """Make a gradient step; round the latents after the last."""
        run, representation = self._run, self._run.representation
        if self._step == self._steps:
            if not self._is_done:
                representation.latents.data.copy_(representation.rounded_latents())
                self._is_done = True
            return None
        started = time.monotonic()
        hardness = self._step / self._steps
        quantizer = SoftQuantizer(0.3 - 0.2 * hardness, 2.0 - hardness, run.generator)
        indices = run.likeness.indices_for_step(self._step)
        rendering = representation.render(indices, quantizer)
        error = run.likeness(rendering, self._step)
        bits = representation.num_images / len(indices) * float(rendering.rate_bits.detach())
        run.multiplier = weight = self._controller.update(bits, run.target_bits)
        # Dividing by 1 + λ keeps the objective's scale whichever term leads.
        self._optimiser.step((weight * error + rendering.rate_bits) / (1 + weight), hardness)
        self._step += 1
        run.plan.step_seconds = time.monotonic() - started
        if self._step == TIMED_STEPS and run.plan.limit_seconds is not None:
            self._steps = run.plan.start_steps(self._steps)
            self._controller = self._new_controller()
        return Step(
            self._step, self._steps, bits, float(error.detach()) / len(indices), len(indices)
        )

    def state(self) -> State:
        """Return counts and the states of control and optimiser; see `Phase`."""
        return {
            "numbers": [self._step, self._steps, self._is_done],
            "controller": self._controller.state(),
            "optimiser": self._optimiser.state(),
        }

    def restore(self, state: State) -> None:
        """Go on where `state` was called."""
        step, steps, self._is_done = state["numbers"]
        self._step, self._steps = checked_counts([step, steps], 2)
        check_like(self._is_done, False, "numbers")
        self._controller = self._new_controller()
        self._controller.restore(state["controller"])
        self._optimiser.restore(state["optimiser"])

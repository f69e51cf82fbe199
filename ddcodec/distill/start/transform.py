"""The start of a wavelet: transforms of real images, rounded at a step that gives the rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddcodec.distill.latents.starting_point import (
    BITS_PER_SQUARED_STEP,
    FINEST_STEP,
    start_at_step,
    start_from_transform,
)
from ddcodec.distill.running.phase import State, Step
from ddcodec.distill.running.run import Run
from ddcodec.distill.start.network_fit import NetworkFit
from ddcodec.kept.state import check_like, checked_count, checked_counts

FIRST_STEPS = 240
LEAST_STEPS = 24
STEPS_A_FIT_STEP = 3
"""Where the fit that follows is short, so is the start: it would take most of the time."""

MOST_STARTS = 4
TOLERANCE = 0.04


class TransformStart:
    """Round transforms of the images, train a context model, and correct the step by the rate.

    Args:
        run: its latents, gains, colours, context models and λ are set.
        targets: N × C × H × W, uint8.
        fit_steps: of the fit that follows.
    """

    name = "start"

    def __init__(self, run: Run, targets: NDArray[np.uint8], fit_steps: int) -> None:
        self._run = run
        self._first_steps = max(LEAST_STEPS, min(FIRST_STEPS, STEPS_A_FIT_STEP * fit_steps))
        self._targets = targets
        self._target_bits = run.target_bits
        self._attempt = self._step = 0
        self._is_last = False
        self._fit: NetworkFit | None = None

    def advance(self) -> Step | None:
        """Train the context model for a step; begin again while the rate is far off."""
        if self._is_last:
            return None
        if self._fit is None:
            self._begin_attempt()
            self._fit = self._new_fit()
        bits, error, count = self._fit.step(self._step)
        self._step += 1
        done = Step(self._step, self._steps, bits, error, count)
        if self._step == self._steps:
            self._end_attempt()
        return done

    @property
    def _steps(self) -> int:
        return self._first_steps // 2 if self._attempt else self._first_steps

    def _new_fit(self) -> NetworkFit:
        return NetworkFit(self._run, self._steps, context_only=True)

    def _begin_attempt(self) -> None:
        run = self._run
        if run.fixed_multiplier:
            step = (BITS_PER_SQUARED_STEP / run.multiplier) ** 0.5
            start_at_step(run.representation, self._targets, step)
            return
        step = start_from_transform(run.representation, self._targets, self._target_bits)
        run.multiplier = BITS_PER_SQUARED_STEP / step**2

    def _end_attempt(self) -> None:
        run = self._run
        bits = run.estimated_latent_bits(
            run.representation.latents.detach(), run.representation.networks
        )
        # The descent that follows saves a few per cent.
        share = bits / run.target_bits
        finest = BITS_PER_SQUARED_STEP / run.multiplier <= (1.01 * FINEST_STEP) ** 2
        self._is_last = abs(share - 1) < TOLERANCE or finest or run.fixed_multiplier
        self._is_last |= self._attempt == MOST_STARTS - 1
        self._target_bits /= share
        self._attempt += 1
        self._step, self._fit = 0, None

    def state(self) -> State:
        """Return the attempt, the step and the state of the optimiser; see `Phase`."""
        return {
            "numbers": [self._attempt, self._step, self._target_bits, self._is_last],
            "fit": None if self._fit is None else self._fit.state(),
        }

    def restore(self, state: State) -> None:
        """Go on where `state` was called."""
        check_like(state["numbers"], [0, 0, 0.0, False], "numbers")
        self._attempt, self._step, self._target_bits, self._is_last = state["numbers"]
        checked_count(self._attempt)
        checked_counts([self._step, self._steps], 2)
        if state["fit"] is not None:
            self._fit = self._new_fit()
            self._fit.restore(state["fit"])

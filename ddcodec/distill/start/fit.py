"""Phase 1: integers that resemble real images, and networks trained on them, in turns."""

from __future__ import annotations

from ddcodec.distill.latents.starting_point import wavelet_drift
from ddcodec.distill.running.phase import State, Step
from ddcodec.distill.running.run import Run
from ddcodec.distill.start.network_fit import NetworkFit
from ddcodec.kept.state import checked_counts

ROUNDS = 8
LEAST_ROUNDS = 4
STEPS_A_ROUND = 20
"""Below so many there are fewer rounds, whose sweeps would take most of the time."""

PASSES = 3
"""Sweeps over all latents in one round."""

STEP_DRIFT = 1.25
"""Factor by which λ may leave its balance with the squared step before the step follows."""


class Fit:
    """Rounds of coordinate descent on latents and gradient steps on networks, λ following.

    Args:
        run: its latents, networks, λ and cost of everything else are changed.
        steps: network steps of all rounds, unless the run's plan says otherwise.
        is_last: whether no joint phase follows.
    """

    name = "fit"

    def __init__(self, run: Run, steps: int, is_last: bool) -> None:
        self._run = run
        self._steps = steps
        self._is_last = is_last
        self._step = 0
        self._fit: NetworkFit | None = None

    def advance(self) -> Step | None:
        """Make a network step; descend before the first of a round."""
        if self._step == self._steps:
            return None
        if self._fit is None:
            self._run.descend(self._run.representation.networks, PASSES)
            if self._step == 0:
                self._steps = self._fitting_steps()
            self._fit = self._new_fit()
        bits, error, count = self._fit.step(self._step)
        self._step += 1
        done = Step(self._step, self._steps, bits, error, count)
        number = self._round_ended()
        if number is not None:
            self._end_round(number)
        return done

    def _fitting_steps(self) -> int:
        """Return how many steps the plan has time for, by timing a few and undoing them."""
        run, steps = self._run, self._steps
        if run.plan.limit_seconds is not None:
            seconds = run.seconds_a_step(self._new_fit().step)
            steps = run.plan.fit_steps(steps, seconds, _passes_to_come, self._is_last)
        return max(steps, LEAST_ROUNDS)

    def _new_fit(self) -> NetworkFit:
        return NetworkFit(self._run, self._steps, context_only=False)

    def _round_ended(self) -> int | None:
        """Return the round that the last step ended, or None."""
        rounds = _rounds(self._steps)
        ends = [self._steps * (number + 1) // rounds for number in range(rounds)]
        return ends.index(self._step) if self._step in ends else None

    def _end_round(self, number: int) -> None:
        self._fit = None
        # The second half charges for weights, at the steps chosen here.
        rounds = _rounds(self._steps)
        if number == rounds // 2 - 1:
            self._run.quantise_networks()
        if number < rounds - 2:
            self._follow_with_steps()

    def _follow_with_steps(self) -> None:
        """Make the steps of a wavelet finer or coarser where λ says so.

        The same rate can come from fine steps and a small λ or coarse steps and a large one; in
        between lies the least error.
        """
        drift = wavelet_drift(self._run.representation, self._run.multiplier)
        if 1 / STEP_DRIFT < drift < STEP_DRIFT:
            return
        # Half way: the rate changes with the step as well as with λ.
        self._run.rescale(drift**-0.25)

    def state(self) -> State:
        """Return the step and the state of the optimiser; see `Phase`."""
        fit = None if self._fit is None else self._fit.state()
        return {"numbers": [self._step, self._steps], "fit": fit}

    def restore(self, state: State) -> None:
        """Go on where `state` was called."""
        self._step, self._steps = checked_counts(state["numbers"], 2)
        if state["fit"] is not None:
            self._fit = self._new_fit()
            self._fit.restore(state["fit"])


def _rounds(steps: int) -> int:
    return max(LEAST_ROUNDS, min(ROUNDS, steps // STEPS_A_ROUND))


def _passes_to_come(steps: int) -> int:
    """Return the sweeps of a fit of so many steps after its first round's."""
    return (_rounds(steps) - 1) * PASSES

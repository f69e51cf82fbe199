"""Phase 3: integer weights, and latents that come to rest under them."""

from __future__ import annotations

from ddcodec.distill.latents.starting_point import wavelet_drift
from ddcodec.distill.running.phase import State, Step
from ddcodec.distill.running.run import Run
from ddcodec.distill.start.fit import STEP_DRIFT
from ddcodec.kept.state import check_like, checked_count

MOST_ROUNDS = 10
SETTLED = 0.02
"""Relative distance from the target rate that landing bridges without harm."""

MOST_RESCALINGS = 6
FIRST_FACTOR = 1 / 1.6
"""Of the steps, where they are found too coarse."""


class Settle:
    """Quantise networks and let rate and latents come to rest, with finer steps if need be."""

    name = "settle"

    def __init__(self, run: Run) -> None:
        self._run = run
        self._attempt = self._round = 0
        self._is_done = False
        self._factor = FIRST_FACTOR

    def advance(self) -> Step | None:
        """Move the latents once towards the goal; quantise before the first time."""
        if self._is_done:
            return None
        run = self._run
        if self._round == 0:
            run.quantise_networks()
        bits = run.descend(run.fixed_networks(), 1)
        self._round += 1
        done = Step(self._round, MOST_ROUNDS, bits, None, run.representation.num_images)
        at_rest = abs(bits / run.target_bits - 1) < SETTLED or run.fixed_multiplier
        if self._round == MOST_ROUNDS or (self._round > 2 and at_rest):
            self._end_attempt(bits)
        return done

    def _end_attempt(self, bits: float) -> None:
        """Be done, or change the steps of a wavelet where λ alone does not bring the rate."""
        run = self._run
        self._attempt += 1
        self._round = 0
        drift = wavelet_drift(run.representation, run.multiplier)
        share = bits / run.target_bits
        too_coarse = share < 1 - SETTLED and drift > STEP_DRIFT
        too_fine = share > 1 + SETTLED and drift < 1 / STEP_DRIFT
        may_go_on = self._attempt < MOST_RESCALINGS and not run.fixed_multiplier
        self._is_done = not may_go_on or not (too_coarse or too_fine)
        if not self._is_done:
            # λ that found no rest says in which direction, but not how far: half as far at a turn.
            if (self._factor > 1) != too_fine:
                self._factor = self._factor**-0.5
            self._is_done = not run.rescale(self._factor)

    def state(self) -> State:
        """Return where the rounds stand; see `Phase`."""
        return {"numbers": [self._round, self._attempt, self._is_done, self._factor]}

    def restore(self, state: State) -> None:
        """Go on where `state` was called."""
        check_like(state["numbers"], [0, 0, False, 1.0], "numbers")
        self._round, self._attempt, self._is_done, self._factor = state["numbers"]
        checked_count(self._round, most=MOST_ROUNDS)
        checked_count(self._attempt, most=MOST_RESCALINGS)

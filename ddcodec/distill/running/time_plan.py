"""How many steps fit into the time there is."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from ddcodec.ranks import ALONE, Ranks

FIT_SHARE = 0.25
"""Of the time, for the fit before a joint phase, of which four times as much gained nothing."""

FEWEST_STEPS = 16
SETTLING_PASSES, LANDING_ENCODINGS = 6, 10
"""What usually follows the last step."""

VALIDATION_SHARE = 0.1
JUDGED_FROM_SECONDS = 600.0
"""Of a limit: judging candidates takes a minute of a CPU, which in shorter runs steps need more."""

MARGIN = 0.03
"""Share of the time that is kept free."""


@dataclass
class TimePlan:
    """The clock of a run, what its parts were found to take, and how long it may take.

    Only counts of steps follow from it, and a checkpoint keeps those.

    Attributes:
        limit_seconds: for the whole run; None leaves all counts as they are.
        spent_seconds: before an interruption.
        step_seconds: of a network step.
        pass_seconds: of a sweep over all latents.
        encode_seconds: of one encoding.
        validation_seconds: of judging one candidate.
        ranks: processes that follow the clock of the first.
    """

    limit_seconds: float | None = None
    spent_seconds: float = 0.0
    step_seconds: float = 0.0
    pass_seconds: float = 0.0
    encode_seconds: float = 0.0
    validation_seconds: float = 0.0
    ranks: Ranks = ALONE
    _started: float = field(default_factory=time.monotonic)

    @property
    def elapsed_seconds(self) -> float:
        """Time since the run began, without what lay between interruption and resumption."""
        return self.spent_seconds + time.monotonic() - self._started

    def start_steps(self, default: int) -> int:
        """Return the steps of a start by gradients, which shares the time of the fit."""
        if self.limit_seconds is None:
            return default
        left = FIT_SHARE * self.limit_seconds / 2 - self.elapsed_seconds
        return self._agreed(min(max(int(left / self.step_seconds), FEWEST_STEPS), default))

    @property
    def has_time_to_judge(self) -> bool:
        """Whether candidates are judged at all."""
        return self.limit_seconds is None or self.limit_seconds >= JUDGED_FROM_SECONDS

    def fit_steps(
        self, default: int, step_seconds: float, passes: Callable[[int], int], is_last: bool
    ) -> int:
        """Return the steps of the fit.

        Args:
            default: without a limit, and at most: more gain nothing.
            step_seconds: of one step.
            passes: sweeps over all latents that a fit of so many steps has still to make; more
                steps never make fewer.
            is_last: whether no joint phase follows.
        """
        if self.limit_seconds is None:
            return default
        left = (self._end() if is_last else FIT_SHARE * self.limit_seconds) - self.elapsed_seconds

        def seconds(steps: int) -> float:
            return steps * step_seconds + passes(steps) * self.pass_seconds

        counts = range(FEWEST_STEPS, max(default, FEWEST_STEPS) + 1)
        return self._agreed(counts[max(bisect_right(counts, left, key=seconds) - 1, 0)])

    def validations(self, default: int) -> int:
        """Return how many candidates are judged after the first, whose judging was timed."""
        if self.limit_seconds is None or not self.validation_seconds:
            return default
        affordable = int(VALIDATION_SHARE * self.limit_seconds / self.validation_seconds)
        return self._agreed(min(max(affordable, 1), default))

    def joint_steps(
        self, default: int, step_seconds: float, validations: int, done: int = 0
    ) -> int:
        """Return the steps of the joint phase, `done` of them made, `validations` to come."""
        if self.limit_seconds is None:
            return default
        left = self._end() - self.elapsed_seconds - validations * self.validation_seconds
        return self._agreed(max(done + int(left / step_seconds), done + 1, FEWEST_STEPS))

    def _agreed(self, count: int) -> int:
        """Return a count as the first process finds it."""
        return int(self.ranks.summed([count if self.ranks.is_first else 0])[0])

    def _end(self) -> float:
        """Return when the last step should be done."""
        assert self.limit_seconds is not None
        after = SETTLING_PASSES * self.pass_seconds + LANDING_ENCODINGS * self.encode_seconds
        return (1 - MARGIN) * self.limit_seconds - after

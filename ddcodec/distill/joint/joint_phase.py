"""What both ways of the joint phase share: stations of validation, and a count of steps to fit."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace

from ddcodec.distill.rate.utilities import Distillation, student_hints
from ddcodec.distill.running.phase import State, Step
from ddcodec.distill.running.run import Run, copied
from ddcodec.kept.state import check_like, checked_count, checked_counts

LOSS_RATE = 0.05
"""Learning rate of what a loss has optimised itself, such as the log of the student's rate."""

REVISED_AT = (4, 2)
"""A quarter and half of the planned steps, after which their number is planned again: a loss may
compile after some steps, and be twice as fast from then on."""


@dataclass(frozen=True)
class JointSettings:
    """Settings of the joint phase.

    Attributes:
        steps: gradient steps, unless the run's plan says otherwise.
        speed: change of pixels (0 … 1) in the first step, root mean square, unless the visits to
            an image are very few or very many; see `joint.first_speed`.
        validations: parts of the phase after which candidates are judged, besides the start.
        details: whether most steps show the loss renditions; with integers moved one by one only.
    """

    steps: int = 1000
    speed: float = 0.01
    validations: int = 3
    details: bool = False


class JointPhase:
    """Base of the joint phases: what comes before, between and after the steps.

    Subclasses define `_begin`, `_make_step`, `_end`, `_own_state` and `_restore_own`.

    Args:
        run: latents, networks, λ and wishes are changed, and the best candidate is kept.
        utility: the distillation loss on rendered images.
        settings: see `JointSettings`.
    """

    name = "joint"

    def __init__(self, run: Run, utility: Distillation, settings: JointSettings) -> None:
        self._run = run
        self._utility = utility
        self._settings = settings
        self._steps = settings.steps
        self._step = 0
        self._validations = settings.validations
        self._has_begun = self._is_done = False
        self._seconds: list[float] = []

    def advance(self) -> Step | None:
        """Make a step; judge at the stations, and go back to the best candidate at the end."""
        if not self._has_begun:
            self._has_begun = True
            self._begin()
            accuracy = self._run.judge(0)
            parts = self._settings.validations
            self._validations = self._run.plan.validations(parts)
            self._steps = self._fitting_steps()
            if accuracy is not None:
                return Step(0, self._steps, self._run.target_bits, None, 0, accuracy)
        if self._step == self._steps:
            if not self._is_done:
                self._is_done = True
                self._run.take_selected()
                header = self._run.header
                hints = student_hints(self._run.utility, header.hints)
                self._run.header = replace(header, hints=hints)
                self._end()
            return None
        started = time.monotonic()
        bits, loss, count = self._make_step()
        self._step += 1
        self._seconds.append(time.monotonic() - started)
        at_station = self._step in self._stations()
        if self._step in [self._steps // part for part in REVISED_AT]:
            self._steps = self._revised_steps()
        accuracy = self._run.judge(self._step) if at_station else None
        return Step(self._step, self._steps, bits, loss, count, accuracy)

    def _stations(self) -> set[int]:
        parts = self._validations
        return {round(self._steps * number / parts) for number in range(1, parts + 1)}

    def _fitting_steps(self) -> int:
        """Return how many steps the plan has time for, by timing a few and undoing them."""
        run = self._run
        if run.plan.limit_seconds is None:
            return self._steps
        own = copied(self.state())
        seconds = run.seconds_a_step(self._probe)
        self.restore(own)
        return run.plan.joint_steps(self._steps, seconds, self._validations)

    def _revised_steps(self) -> int:
        """Return how many steps the plan has time for, by what the latest ones took."""
        latest = statistics.median(self._seconds[len(self._seconds) // 2 :])
        left = sum(station > self._step for station in self._stations())
        return self._run.plan.joint_steps(self._steps, latest, left, done=self._step)

    def _probe(self, number: int) -> None:
        self._make_step()
        self._step += 1

    def state(self) -> State:
        """Return counts and what the subclass adds; see `Phase`."""
        numbers = [self._step, self._steps, self._validations, self._has_begun, self._is_done]
        return {"numbers": numbers, "own": self._own_state() if self._has_begun else None}

    def restore(self, state: State) -> None:
        """Go on where `state` was called; the run has been restored before."""
        step, steps, self._validations, *flags = state["numbers"]
        self._step, self._steps = checked_counts([step, steps], 2)
        checked_count(self._validations)
        check_like(flags, [False, False], "numbers")
        self._has_begun, self._is_done = flags
        if state["own"] is not None:
            self._restore_own(state["own"])

    def _begin(self) -> None:
        """Prepare the first step."""
        raise NotImplementedError

    def _make_step(self) -> tuple[float, float, int]:
        """Make a step; return bits of all latents, the loss, and images worked on."""
        raise NotImplementedError

    def _end(self) -> None:
        """Leave integers and wishes behind."""

    def _own_state(self) -> State:
        raise NotImplementedError

    def _restore_own(self, state: State) -> None:
        raise NotImplementedError

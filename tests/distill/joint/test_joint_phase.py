"""The joint phase within a time: its number of steps follows what the latest of them took."""

from types import SimpleNamespace
from typing import Any

import pytest

from ddcodec.distill.joint import joint_phase
from ddcodec.distill.joint.joint_phase import JointPhase, JointSettings
from ddcodec.distill.running import run, time_plan
from ddcodec.distill.running.run import PROBED_STEPS, Run
from ddcodec.distill.running.time_plan import TimePlan

SLOW, FAST, COMPILING = 30.0, 10.0, 90.0


class Clock:
    """What stands for the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        """Return what it was set to."""
        return self.now


class PhaseThatCompiles(JointPhase):
    """Steps that are slow up to one that compiles."""

    clock: Clock
    compiles_at: int
    has_compiled = False

    def _begin(self) -> None:
        pass

    def _make_step(self) -> tuple[float, float, int]:
        late = self._step >= self.compiles_at
        self.clock.now += COMPILING if late and not self.has_compiled else FAST if late else SLOW
        self.has_compiled |= late
        return 0.0, 0.0, 1

    def _own_state(self) -> dict[str, Any]:
        return {}

    def _restore_own(self, state: dict[str, Any]) -> None:
        pass


class FakeRun:
    """As much of a run as timing takes."""

    def __init__(self, plan: TimePlan) -> None:
        self.plan, self.utility = plan, None
        self.header = SimpleNamespace(hints=None)

    seconds_a_step = Run.seconds_a_step

    def state(self) -> dict[str, Any]:
        """Return nothing to copy."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Undo nothing."""

    def judge(self, step: int) -> None:
        """Judge nothing."""


@pytest.mark.parametrize(
    ("limit_seconds", "compiles_at"), [(1000.0, 0), (1000.0, 2), (1000.0, 6), (10_000.0, 70)]
)
def test_a_loss_that_compiles_fills_its_time(
    monkeypatch: pytest.MonkeyPatch, limit_seconds: float, compiles_at: int
) -> None:
    """Whether steps become faster while they are timed or after it, time is left for one or two."""
    clock = Clock()
    for module in (joint_phase, run, time_plan):
        monkeypatch.setattr(module, "time", clock)
    plan = TimePlan(limit_seconds, _started=0.0)
    phase = PhaseThatCompiles(FakeRun(plan), SimpleNamespace(), JointSettings())  # type: ignore[arg-type]
    phase.clock, phase.compiles_at = clock, compiles_at
    steps = 0
    for number in range(int(limit_seconds / FAST)):
        assert phase.advance() is not None
        steps = number + 1
        if phase._step == phase._steps:
            break
    end = (1 - time_plan.MARGIN) * limit_seconds
    unforeseen = COMPILING * (compiles_at >= PROBED_STEPS)
    assert end - 2 * FAST - unforeseen <= clock.now <= end + unforeseen
    assert steps == phase._steps


def test_without_a_limit_the_number_stays() -> None:
    """Nothing is timed."""
    phase = PhaseThatCompiles(FakeRun(TimePlan()), SimpleNamespace(), JointSettings(steps=12))  # type: ignore[arg-type]
    phase.clock, phase.compiles_at = Clock(), 3
    for _ in range(12):
        phase.advance()
    assert (phase._step, phase._steps, phase.clock.now) == (12, 12, 3 * SLOW + COMPILING + 8 * FAST)

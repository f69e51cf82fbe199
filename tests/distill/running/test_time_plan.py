"""Steps that fit into a time: counts follow from what was measured, and only where asked for."""

import time

import pytest

from ddcodec.distill.running.time_plan import FEWEST_STEPS, TimePlan


def _passes(steps: int) -> int:
    return 24


def test_without_a_limit_nothing_changes() -> None:
    """The numbers asked for stay."""
    plan = TimePlan()
    assert plan.fit_steps(960, 1.0, _passes, is_last=True) == 960
    assert plan.joint_steps(300, 1.0, 3) == 300
    assert plan.validations(3) == 3
    assert plan.start_steps(600) == 600


def test_steps_share_the_time() -> None:
    """Of 1,000 s a quarter goes to the fit, and the joint phase leaves room for what follows."""
    plan = TimePlan(1000.0, pass_seconds=1.0, encode_seconds=2.0, validation_seconds=10.0)
    assert plan.fit_steps(960, 0.5, _passes, is_last=False) == pytest.approx(
        (250 - 24) / 0.5, abs=1
    )
    # 3 % of the time, 6 passes, 10 encodings and 3 validations are kept free.
    free = 1000 - 30 - 6 - 20
    assert plan.fit_steps(9600, 0.5, _passes, is_last=True) == pytest.approx(
        (free - 24) / 0.5, abs=1
    )
    assert plan.fit_steps(960, 0.5, _passes, is_last=True) == 960
    assert plan.joint_steps(300, 0.5, 3) == pytest.approx((free - 30) / 0.5, abs=1)


def test_steps_that_ask_for_more_sweeps_pay_for_them() -> None:
    """With a sweep of 10 s for every hundred steps of 1 s, 250 s are enough for 228."""
    plan = TimePlan(1000.0, pass_seconds=10.0)
    steps = plan.fit_steps(960, 1.0, lambda steps: steps // 100, is_last=False)
    assert steps in (228, 229, 230)
    assert plan.fit_steps(960, 1.0, lambda steps: 100, is_last=False) == FEWEST_STEPS


def test_short_runs_judge_nothing() -> None:
    """Candidates are judged where there is no limit, or ten minutes."""
    assert TimePlan().has_time_to_judge and TimePlan(600.0).has_time_to_judge
    assert not TimePlan(599.0).has_time_to_judge


def test_spent_time_counts() -> None:
    """A resumed run has what is left of its time, and every phase its least number of steps."""
    plan = TimePlan(1000.0, spent_seconds=900.0)
    assert plan.joint_steps(300, 1.0, 0) == pytest.approx(70, abs=1)
    plan.spent_seconds = 5000.0
    assert plan.joint_steps(300, 1.0, 0) == FEWEST_STEPS
    assert plan.fit_steps(960, 1.0, _passes, is_last=False) == FEWEST_STEPS
    assert TimePlan(1e6).fit_steps(1, 0.01, _passes, is_last=True) == FEWEST_STEPS


def test_a_revised_number_is_never_behind() -> None:
    """What is left of the time adds to the steps made; without any there is one more."""
    plan = TimePlan(1000.0, spent_seconds=500.0, validation_seconds=10.0)
    assert plan.joint_steps(300, 2.0, 2, done=40) == pytest.approx(40 + 450 / 2, abs=1)
    plan.spent_seconds = 5000.0
    assert plan.joint_steps(300, 2.0, 2, done=40) == 41
    assert plan.joint_steps(300, 2.0, 2, done=4) == FEWEST_STEPS


def test_validations_take_a_tenth_at_most() -> None:
    """Dear ones are fewer, but one is always left; before one was timed there is no saying."""
    plan = TimePlan(1000.0, validation_seconds=40.0)
    assert plan.validations(3) == 2
    assert TimePlan(1000.0, validation_seconds=400.0).validations(3) == 1
    assert TimePlan(1000.0).validations(3) == 3


def test_clock_goes_on() -> None:
    """Elapsed time is what was spent before and what has passed since."""
    plan = TimePlan(spent_seconds=50.0)
    before = plan.elapsed_seconds
    time.sleep(0.01)
    assert 50.0 <= before < plan.elapsed_seconds

"""The multiplier follows the rate."""

import pytest

from ddcodec.distill.rate.rate_control import RateController


def _settle(controller: RateController, exponent: float, delay: float, steps: int) -> float:
    """Run a plant whose rate follows λ^exponent with a first-order delay; return the rate."""
    rate = 40.0
    for _ in range(steps):
        wanted = 100 * controller.update(rate, 300.0) ** exponent
        rate += (wanted - rate) / delay
    return rate


@pytest.mark.parametrize("exponent", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("delay", [1.0, 20.0, 60.0])
def test_rate_converges_to_the_target(exponent: float, delay: float) -> None:
    """Whatever the response of the rate to λ, it ends within 3 % of the target."""
    controller = RateController(1.0, integral_gain=0.02)
    assert _settle(controller, exponent, delay, 4000) == pytest.approx(300, rel=0.03)


def test_warmup_holds_the_multiplier() -> None:
    """Nothing is learned from the rate during warm-up."""
    controller = RateController.for_steps(7.0, 100, warmup=0.5)
    assert [controller.update(1e9, 1.0) for _ in range(50)] == [7.0] * 50
    assert controller.update(1e9, 1.0) < 7.0


def test_fixed_controller_holds_the_multiplier() -> None:
    """A fixed λ stays, whatever the rate."""
    controller = RateController.fixed(2.0)
    assert [controller.update(10.0, 300.0) for _ in range(3)] == pytest.approx([2.0] * 3)


def test_far_off_start_does_not_wind_up() -> None:
    """An error of any size moves log λ by no more than half of both gains."""
    controller = RateController(1.0, integral_gain=0.02, proportional_gain=1.0)
    assert controller.update(1.0, 1e9) == pytest.approx(2.718281828 ** (0.51), rel=1e-6)

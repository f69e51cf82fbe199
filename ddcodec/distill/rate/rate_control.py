"""The multiplier that makes the coded size converge to the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any

from ddcodec.kept.state import check_like, checked_count

AIM = 0.988
"""Share of the budget that is aimed at: the middle of what counts as met."""


LARGEST_EXCESS = 0.25
LARGEST_SHORTFALL = 0.5


ROUND_EXPONENT = 2.0
LARGEST_ROUND_FACTOR = 1.5


def adjusted_multiplier(multiplier: float, rate_bits: float, target_bits: float) -> float:
    """Return λ for the next round of fitting after one that ended at this rate.

    At a fixed step the rate follows about the square root of λ.
    """
    factor: float = (target_bits / max(rate_bits, 1.0)) ** ROUND_EXPONENT
    return multiplier * min(max(factor, 1 / LARGEST_ROUND_FACTOR), LARGEST_ROUND_FACTOR)


@dataclass
class RateController:
    """Raise or lower λ, the weight of the utility against the rate, until the rate fits.

    The logarithm of λ follows the relative error by a proportional and an integral term. The error
    is clipped, so that a far-off start cannot wind the integral up, and more tightly from above:
    a rate that is too high also falls by itself as latents settle.

    Attributes:
        multiplier: λ, applied to the utility (a loss that falls as images get better).
        integral_gain: change of log λ per step at 100 % error.
        proportional_gain: momentary change of log λ at 100 % error.
        warmup_steps: steps before control sets in. While latents grow from nothing and the context
            model is untrained, the rate overshoots by itself; reacting would ruin λ for long.
    """

    multiplier: float
    integral_gain: float = 0.02
    proportional_gain: float = 1.0
    warmup_steps: int = 0
    _log_integral: float | None = None
    _smoothed: float | None = None

    def update(self, rate_bits: float, target_bits: float) -> float:
        """Account for one step and return the new multiplier.

        Args:
            rate_bits: estimated bits of all latents at this step.
            target_bits: what they should be.
        """
        if self.warmup_steps > 0:
            self.warmup_steps -= 1
            return self.multiplier
        if self._log_integral is None:
            self._log_integral = log(self.multiplier)
        previous = rate_bits if self._smoothed is None else self._smoothed
        self._smoothed = 0.8 * previous + 0.2 * rate_bits
        error = min(max(1 - self._smoothed / target_bits, -LARGEST_EXCESS), LARGEST_SHORTFALL)
        self._log_integral += self.integral_gain * error
        self._log_integral = min(max(self._log_integral, -40.0), 40.0)
        self.multiplier = exp(self._log_integral + self.proportional_gain * error)
        return self.multiplier

    @classmethod
    def for_steps(cls, multiplier: float, steps: int, warmup: float = 0.0) -> RateController:
        """Return a controller that can move λ by a factor of e^20 over a phase.

        Faster ones overshoot: the rate follows λ with a delay of tens of visits to each image.

        Args:
            multiplier: λ at the start.
            steps: length of the phase.
            warmup: share of the phase before control sets in.
        """
        return cls(multiplier, integral_gain=40 / steps, warmup_steps=round(warmup * steps))

    @classmethod
    def fixed(cls, multiplier: float) -> RateController:
        """Return one that leaves λ where it is."""
        return cls(multiplier, integral_gain=0.0, proportional_gain=0.0)

    def state(self) -> list[float | int | None]:
        """Return what `update` has changed."""
        return [self.multiplier, self.warmup_steps, self._log_integral, self._smoothed]

    def restore(self, state: Sequence[Any]) -> None:
        """Go on where `state` was called."""
        multiplier, warmup_steps, integral, smoothed = state
        check_like([multiplier, integral or 0.0, smoothed or 0.0], [1.0, 0.0, 0.0], "controller")
        checked_count(warmup_steps)
        self.multiplier, self.warmup_steps = multiplier, warmup_steps
        self._log_integral, self._smoothed = integral, smoothed

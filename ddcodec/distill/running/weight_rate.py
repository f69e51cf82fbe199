"""The bits of network weights as a term of what networks are trained for.

Once a first choice of integer steps is known, a weight costs what the Laplace of its tensor charges
at that step, so networks give up weights that save less in latents or error than they cost.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ddcodec.codec.parameters import fitting_log2_scale, rate_bits_at
from ddcodec.distill.latents.representation import Parameters
from ddcodec.distill.running.run import Run
from ddcodec.kept.state import check_like


class WeightRate:
    """Differentiable cost of all weights at fixed steps and scales.

    Args:
        exponents: of the step of every tensor, for each set of networks.
        log2_scales: of the Laplace of every tensor, in units of its step.
    """

    def __init__(self, exponents: list[dict[str, int]], log2_scales: list[dict[str, float]]):
        self._exponents = exponents
        self._log2_scales = log2_scales

    @classmethod
    def of(cls, run: Run) -> WeightRate | None:
        """Return the cost at the steps a run has chosen, or None before it has chosen any."""
        if run.quantised is None:
            return None
        exponents = [
            {name: tensor.step_exponent for name, tensor in tensors.items()}
            for tensors in run.quantised
        ]
        scales = [
            {name: fitting_log2_scale(value.detach(), steps[name]) for name, value in own.items()}
            for own, steps in zip(run.representation.networks, exponents, strict=True)
        ]
        return cls(exponents, scales)

    def bits(self, networks: list[Parameters]) -> Tensor:
        """Return the bits of all weights, a scalar; the decoder's gains, which stay, included."""
        costs = [
            rate_bits_at(value, exponents[name], scales[name])
            for own, exponents, scales in zip(
                networks, self._exponents, self._log2_scales, strict=True
            )
            for name, value in own.items()
        ]
        return torch.stack(costs).sum()

    @classmethod
    def from_state(cls, run: Run, state: list[Any] | None) -> WeightRate | None:
        """Return what `state` was called on; raises ValueError for the state of other networks."""
        if state is None:
            return None
        names = [dict(own).keys() for own in run.representation.networks]
        exponents, scales = (
            [dict.fromkeys(own, 0) for own in names],
            [dict.fromkeys(own, 0.0) for own in names],
        )
        check_like(state, [exponents, scales], "weight_rate")
        return cls(*state)

    def state(self) -> list[Any]:
        """Return the arguments that make an equal one."""
        return [self._exponents, self._log2_scales]

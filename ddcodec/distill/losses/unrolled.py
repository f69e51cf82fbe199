"""A student's updates on synthetic views, and how its last weights depend on every one of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddcodec.distill.trained.derivatives import LossDerivatives
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.networks.replay import Replayed


@dataclass(frozen=True)
class Match:
    """How close a student came, and what would have brought it closer.

    Attributes:
        distance: ‖θ̂ − θ*‖² / ‖θ − θ*‖², a scalar.
        for_views: its gradient by every view, of their shape.
        for_rate: its gradient by the student's learning rate, a scalar.
    """

    distance: Tensor
    for_views: Tensor
    for_rate: Tensor


class UnrolledStudent:
    """Gradient descent on given batches from given weights, differentiated exactly.

    Going back through θ_{t+1} = θ_t − η g_t(θ_t, x_t) with λ = ∂distance/∂θ: the gradient by x_t
    is −η ∂(g_t · λ)/∂x_t, and λ ← λ − η H_t λ, where H_t λ = ∂(g_t · λ)/∂θ_t comes with it (the
    adjoint of gradient descent: Maclaurin et al., "Gradient-based Hyperparameter Optimization
    through Reversible Learning", ICML 2015, section 2). Only weights are kept from step to step, so
    memory hardly grows with their number.

    On a GPU all updates are recorded once and then repeated.

    Args:
        network: The student's architecture, on the device.
        bfloat16: Compute it in bfloat16.
        is_compiled: Compile its derivatives.
    """

    def __init__(self, network: FlatNetwork, bfloat16: bool, is_compiled: bool) -> None:
        self._derivatives = LossDerivatives(network, bfloat16, is_compiled)
        self._replayed = Replayed(self._matched, network.device)

    def match(
        self, start: Tensor, target: Tensor, rate: Tensor, views: Tensor, labels: Tensor
    ) -> Match:
        """Train a student and differentiate its distance to a target.

        Args:
            start: θ, float32 P.
            target: θ*, float32 P.
            rate: η, a float32 scalar.
            views: What each of T updates sees, normalised float32 T×B×C×H×W.
            labels: int64 T×B.

        Returns:
            What may be overwritten by the next call.
        """
        return Match(*self._replayed(start, target, rate, views, labels))

    def _matched(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        start, target, rate, views, labels = inputs
        scale = (start - target).square().sum().clamp(min=1e-30)
        passed, weights = [], start
        for batch, classes in zip(views, labels, strict=True):
            passed.append(weights)
            gradient, _ = self._derivatives.gradient(weights, batch, classes)
            weights = weights - rate * gradient
        miss = weights - target
        adjoint, for_rate = 2 * miss / scale, torch.zeros_like(rate)
        for_views = torch.empty_like(views)
        for step in reversed(range(len(passed))):
            slope, for_weights, for_batch = self._derivatives.slope(
                passed[step], adjoint, views[step], labels[step]
            )
            for_views[step] = -rate * for_batch
            for_rate = for_rate - slope
            adjoint = adjoint - rate * for_weights
        return miss.square().sum() / scale, for_views, for_rate

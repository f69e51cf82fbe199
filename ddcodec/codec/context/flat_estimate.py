"""Predictions of all latents at once, and what the latents cost under them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ddcodec.codec.context.context_stack import context_stack
from ddcodec.codec.context.inputs import ContextInputs
from ddcodec.codec.context.quiet_stack import is_quiet, on_zeros, quiet_stack


class RateModel(Protocol):
    """What a distribution of integers costs; see `LaplaceModel.rate_bits`."""

    def rate_bits(self, values: Tensor, loc: Tensor, log2_scale: Tensor) -> Tensor:
        """Return bits, elementwise and differentiably."""
        ...


@dataclass(frozen=True)
class QuietLatents:
    """Latents that are 0 and see nothing else: those of a plane have one prediction.

    Attributes:
        busy: int64, all others, as places in flat P × N.
        plane: int64 P, the plane of each latent.
        loc: prediction by plane, without a gradient.
        log2_scale: likewise.
    """

    busy: Tensor
    plane: Tensor
    loc: Tensor
    log2_scale: Tensor


@dataclass(frozen=True)
class FlatEstimate:
    """Latents and their predictions, each positions × images, planes finest first.

    Attributes:
        values: the latents.
        loc: predicted locations.
        log2_scale: base-2 logarithms of predicted scales.
        quiet: what is known of latents that are alike, if much is.
    """

    values: Tensor
    loc: Tensor
    log2_scale: Tensor
    quiet: QuietLatents | None = None

    def rate_bits(self, model: RateModel) -> Tensor:
        """Return what every latent costs in bits, differentiably by latents and predictions."""
        if self.quiet is None:
            return model.rate_bits(self.values, self.loc, self.log2_scale)
        bits: Tensor = _Bits.apply(self.values, self.loc, self.log2_scale, self.quiet, model)  # type: ignore[no-untyped-call]
        return bits


def flat_estimate(
    values: Tensor, inputs: ContextInputs, stack: list[Tensor], biases: Tensor
) -> FlatEstimate:
    """Predict all latents.

    Args:
        values: the latents, P × N.
        inputs: what they see.
        stack: parameters of `context_stack`.
        biases: of the outputs, planes × 2.
    """
    own_biases = biases[inputs.plane].t()[:, :, None]
    if not is_quiet(values, inputs):
        loc, log2_scale = context_stack(values, inputs, stack) + own_biases
        return FlatEstimate(values, loc, log2_scale)
    seeing = inputs.seeing(values)
    loc, log2_scale = quiet_stack(values, inputs, seeing, stack) + own_biases
    alike = on_zeros(stack) + biases.detach().t()
    quiet = QuietLatents(inputs.busy(values, seeing), inputs.plane, *alike)
    return FlatEstimate(values, loc, log2_scale, quiet)


class _Bits(torch.autograd.Function):
    """Costs and slopes of busy latents one by one, of the others by plane."""

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        loc: Tensor,
        log2_scale: Tensor,
        quiet: QuietLatents,
        model: RateModel,
    ) -> Tensor:
        given = (values, loc, log2_scale)
        busy = [tensor.flatten().index_select(0, quiet.busy) for tensor in given]
        busy_bits, busy_slopes = _bits_and_slopes(model, *busy)
        zeros = torch.zeros_like(quiet.loc)
        quiet_bits, quiet_slopes = _bits_and_slopes(model, zeros, quiet.loc, quiet.log2_scale)
        ctx.quiet = quiet
        ctx.save_for_backward(*busy_slopes, *quiet_slopes)
        return _spread(quiet, quiet_bits, busy_bits, values.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        quiet: QuietLatents = ctx.quiet
        gradient = gradients[0]
        slopes = ctx.saved_tensors
        pulled = [
            gradient * _spread(quiet, quiet_slope, busy_slope, gradient.shape[1])
            if is_wanted
            else None
            for is_wanted, busy_slope, quiet_slope in zip(
                ctx.needs_input_grad, slopes[:3], slopes[3:], strict=False
            )
        ]
        return (*pulled, None, None)


def _bits_and_slopes(model: RateModel, *given: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return bits and their derivatives by values, locations and scales; all flat."""
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in given]
        bits = model.rate_bits(*leaves)
        slopes = torch.autograd.grad(bits.sum(), leaves)
    return bits.detach(), slopes


def _spread(quiet: QuietLatents, of_planes: Tensor, of_busy: Tensor, num_images: int) -> Tensor:
    """Return P × N: what a plane has, and what busy latents have of their own."""
    spread = of_planes[quiet.plane][:, None].repeat(1, num_images)
    spread.view(-1).index_copy_(0, quiet.busy, of_busy)
    return spread

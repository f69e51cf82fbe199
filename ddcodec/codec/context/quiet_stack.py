"""The context network in training where most latents are 0, as in large images at low rates.

All latents whose inputs are 0 get the same prediction, so the network runs on the others and once
for these. On the way back theirs is the Jacobian of that one run, times their own gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ddcodec.codec.context.inputs import ContextInputs, gathered, gradient_of_latents, table
from ddcodec.codec.context.residual_layers import (
    CHUNK_ELEMENTS,
    hidden_layers,
    pull_back,
    with_residual,
)

MOST_BUSY_INPUTS = 0.8
"""Inputs of a latent that are not 0, on average, up to which this way is shorter: inputs are looked
up one by one here. With 1.3 of 24 both take as long, with 0.5 this takes two fifths."""


def is_quiet(values: Tensor, inputs: ContextInputs) -> bool:
    """Return whether latents P × N are so often 0 that this way is shorter."""
    if values.device.type != "cpu" or not values.numel():
        return False
    return int(values.count_nonzero()) * inputs.width <= MOST_BUSY_INPUTS * values.numel()


class _QuietStack(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, inputs: ContextInputs, seeing: Tensor, *parameters: Tensor
    ) -> Tensor:
        latents = table(values).view(-1)
        parameters = tuple(with_residual(parameters))
        looked_up = _looked_up(inputs, seeing, values.shape[1])
        outputs = values.new_empty(2, values.numel())
        outputs[:] = parameters[-1] @ _run_on_zeros(parameters)[-1]
        for part, places in looked_up:
            hidden = hidden_layers(gathered(latents, places), parameters)[-1]
            outputs.index_copy_(1, part, parameters[-1] @ hidden)
        ctx.inputs, ctx.looked_up = inputs, looked_up
        ctx.save_for_backward(values, seeing, *parameters)
        return outputs.view(2, *values.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        values, seeing, *parameters = ctx.saved_tensors
        inputs: ContextInputs = ctx.inputs
        latents = table(values).view(-1)
        totals = [torch.zeros_like(parameter) for parameter in parameters]
        wanted = totals if any(ctx.needs_input_grad[3:]) else None
        gradient = gradients[0].flatten(1)
        table_gradient = torch.zeros_like(latents) if ctx.needs_input_grad[0] else None
        for part, places in ctx.looked_up:
            activations = hidden_layers(gathered(latents, places), parameters)
            pulled = pull_back(activations, parameters, gradient.index_select(1, part), wanted)
            if table_gradient is not None:
                table_gradient.index_add_(0, places.flatten(), pulled.flatten())

        zeros_run = _run_on_zeros(parameters)
        quiet = gradient.index_fill(1, seeing, 0)
        pull_back(zeros_run, parameters, quiet.sum(1, keepdim=True), wanted)
        if table_gradient is None:
            return (None, None, None, *totals)
        table_gradient = table_gradient.view(-1, values.shape[1])
        # Of a magnitude that is 0 there is no slope, so that inputs with a sign are left.
        jacobian = _jacobian(zeros_run, parameters)[inputs.signed]
        for rows, pulled in zip(inputs.rows[inputs.signed], jacobian @ quiet, strict=True):
            table_gradient.index_add_(0, rows, pulled.view_as(values))
        return (gradient_of_latents(table_gradient, values), None, None, *totals)


def _looked_up(
    inputs: ContextInputs, seeing: Tensor, num_images: int
) -> list[tuple[Tensor, Tensor]]:
    """Return parts of the latents that see something, and places of their inputs in the table."""
    rows = inputs.rows * num_images
    parts = []
    for part in torch.split(seeing, max(1, CHUNK_ELEMENTS // inputs.width)):
        positions = torch.div(part, num_images, rounding_mode="floor")
        images = part - positions * num_images
        parts.append((part, rows.index_select(1, positions).add_(images)))
    return parts


def _run_on_zeros(parameters: Sequence[Tensor]) -> list[Tensor]:
    width = parameters[-1].shape[1]
    return hidden_layers(parameters[-1].new_zeros(width, 1), parameters)


def _jacobian(zeros_run: list[Tensor], parameters: Sequence[Tensor]) -> Tensor:
    """Return the derivatives of both outputs by the inputs where these are 0, width × 2."""
    both = [activations.expand(-1, 2).contiguous() for activations in zeros_run]
    one_each = torch.eye(2, dtype=both[0].dtype, device=both[0].device)
    return pull_back(both, parameters, one_each, None)


def quiet_stack(
    values: Tensor, inputs: ContextInputs, seeing: Tensor, parameters: list[Tensor]
) -> Tensor:
    """Do what `context_stack` does, with `seeing` of the inputs."""
    result: Tensor = _QuietStack.apply(values, inputs, seeing, *parameters)  # type: ignore[no-untyped-call]
    return result


@torch.no_grad()
def on_zeros(parameters: list[Tensor]) -> Tensor:
    """Return what the network says of inputs that are all 0, 2 × 1."""
    combined = with_residual(parameters)
    return combined[-1] @ _run_on_zeros(combined)[-1]

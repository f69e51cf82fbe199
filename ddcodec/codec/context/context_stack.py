"""The context network in training: a few positions at a time, so that they stay in cache.

Every latent has `width` inputs, so what a layer sees of a whole batch is tens of megabytes, which
would be written and read again by every operation. Here some positions run through all layers at
once, and the backward pass recomputes them instead of keeping them, as in `dense_stack.py`. The
inputs of a position are whole rows of a table of latents, one column for each image.
"""

from __future__ import annotations

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

DEVICE_CHUNK_ELEMENTS = 1 << 26
"""Hidden values held at once on any device but a CPU, where it bounds the memory."""


class _ContextStack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, rows: Tensor, *parameters: Tensor) -> Tensor:
        latents = table(values)
        parameters = tuple(with_residual(parameters))
        ctx.save_for_backward(values, rows, *parameters)
        outputs = values.new_empty(2, *values.shape)
        for part in _chunks(values, len(rows)):
            hidden = hidden_layers(gathered(latents, rows[:, part]), parameters)[-1]
            outputs[:, part] = (parameters[-1] @ hidden).view(2, -1, values.shape[1])
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        values, rows, *parameters = ctx.saved_tensors
        latents = table(values)
        wanted = ctx.needs_input_grad
        table_gradient = torch.zeros_like(latents) if wanted[0] else None
        totals = [torch.zeros_like(parameter) for parameter in parameters]
        for part in _chunks(values, len(rows)):
            activations = hidden_layers(gathered(latents, rows[:, part]), parameters)
            gradient = pull_back(
                activations,
                parameters,
                gradients[0][:, part].flatten(1),
                totals if any(wanted[2:]) else None,
            )
            if table_gradient is not None:
                gradient = gradient.view(-1, values.shape[1])
                table_gradient.index_add_(0, rows[:, part].flatten(), gradient)
        values_gradient = None
        if table_gradient is not None:
            values_gradient = gradient_of_latents(table_gradient, values)
        return (values_gradient, None, *totals)


def _chunks(values: Tensor, width: int) -> list[slice]:
    num_latents, num_images = values.shape
    elements = CHUNK_ELEMENTS if values.device.type == "cpu" else DEVICE_CHUNK_ELEMENTS
    step = max(1, elements // max(1, width * num_images))
    return [slice(start, start + step) for start in range(0, num_latents, step)]


def context_stack(values: Tensor, inputs: ContextInputs, parameters: list[Tensor]) -> Tensor:
    """Apply residual layers with ReLU to the inputs of every latent, then a linear one.

    Args:
        values: P × N, latents of N images.
        inputs: what they see.
        parameters: weight (width × width) and bias (width) of each layer in turn, then the
            weight of the last one (2 × width).

    Returns:
        2 × P × N.
    """
    result: Tensor = _ContextStack.apply(values, inputs.rows, *parameters)  # type: ignore[no-untyped-call]
    return result

"""The context network in training: a few positions at a time, so that they stay in cache.

Every latent has `width` inputs, so what a layer sees of a whole batch is tens of megabytes, which
would be written and read again by every operation. Here some positions run through all layers at
once, and the backward pass recomputes them instead of keeping them, as in `dense_stack.py`. The
inputs of a position are whole rows of a table of latents, one column for each image.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ddcodec.codec.context.neighbours import all_neighbours
from ddcodec.format.planes import Plane

CHUNK_ELEMENTS = 1 << 17
"""Hidden values held at once on a CPU: half a megabyte of float32."""

DEVICE_CHUNK_ELEMENTS = 1 << 26
"""Likewise on any other device, where it bounds the memory."""


@lru_cache(maxsize=16)
def input_rows(
    context_id: int, width: int, planes: tuple[Plane, ...], device: torch.device
) -> Tensor:
    """Return the rows of the table that every latent sees, int64 width × P; see `_table`."""
    seen = all_neighbours(context_id, width, planes)
    num_latents = seen.index.shape[1]
    shifted = seen.index + (1 + num_latents) * seen.magnitude[:, None]
    return torch.from_numpy(shifted).to(device)


def _table(values: Tensor) -> Tensor:
    """Return a row of zeros, which stands for everything outside, and the latents; both twice.

    The second time without signs, so that an input is a copy of a row.
    """
    outside = values.new_zeros(1, values.shape[1])
    return torch.cat([outside, values, outside, values.abs()])


class _ContextStack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, rows: Tensor, *parameters: Tensor) -> Tensor:
        table = _table(values)
        *layers, last = parameters
        parameters = (*(_residual(m) if m.dim() == 2 else m for m in layers), last)
        ctx.save_for_backward(values, rows, *parameters)
        outputs = values.new_empty(2, *values.shape)
        for part in _chunks(values, len(rows)):
            hidden = _run(table, rows[:, part], parameters)[-1]
            outputs[:, part] = (parameters[-1] @ hidden).view(2, -1, values.shape[1])
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        values, rows, *parameters = ctx.saved_tensors
        table = _table(values)
        wanted = ctx.needs_input_grad
        table_gradient = torch.zeros_like(table) if wanted[0] else None
        totals = [torch.zeros_like(parameter) for parameter in parameters]
        for part in _chunks(values, len(rows)):
            activations = _run(table, rows[:, part], parameters)
            gradient = _backward(
                activations, parameters, gradients[0][:, part].flatten(1), totals, any(wanted[2:])
            )
            if table_gradient is not None:
                gradient = gradient.view(-1, values.shape[1])
                table_gradient.index_add_(0, rows[:, part].flatten(), gradient)
        values_gradient = None
        if table_gradient is not None:
            signed, unsigned = table_gradient.view(2, 1 + len(values), -1)[:, 1:]
            values_gradient = signed + unsigned * values.sign()
        return (values_gradient, None, *totals)


def _chunks(values: Tensor, width: int) -> list[slice]:
    num_latents, num_images = values.shape
    elements = CHUNK_ELEMENTS if values.device.type == "cpu" else DEVICE_CHUNK_ELEMENTS
    step = max(1, elements // max(1, width * num_images))
    return [slice(start, start + step) for start in range(0, num_latents, step)]


def _residual(weight: Tensor) -> Tensor:
    """Return the matrix of a layer that adds its input to its output."""
    return weight + torch.eye(len(weight), dtype=weight.dtype, device=weight.device)


def _run(table: Tensor, rows: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return the inputs and every hidden layer's output, each width × (positions · images)."""
    activations = [table.index_select(0, rows.flatten()).view(len(rows), -1)]
    for matrix, bias in zip(parameters[:-1:2], parameters[1:-1:2], strict=True):
        activations.append((matrix @ activations[-1]).add_(bias[:, None]).relu_())
    return activations


def _backward(
    activations: list[Tensor],
    parameters: Sequence[Tensor],
    gradient: Tensor,
    totals: list[Tensor],
    weights_wanted: bool,
) -> Tensor:
    """Add the gradients of the parameters to their totals; return that of the inputs."""
    if weights_wanted:
        totals[-1].addmm_(gradient, activations[-1].t())
    gradient = parameters[-1].t() @ gradient
    for layer in reversed(range(len(activations) - 1)):
        gradient = torch.ops.aten.threshold_backward(gradient, activations[layer + 1], 0)
        if weights_wanted:
            totals[2 * layer].addmm_(gradient, activations[layer].t())
            totals[2 * layer + 1] += gradient.sum(1)
        gradient = parameters[2 * layer].t() @ gradient
    return gradient


def context_stack(values: Tensor, rows: Tensor, parameters: list[Tensor]) -> Tensor:
    """Apply residual layers with ReLU to the inputs of every latent, then a linear one.

    Args:
        values: P × N, latents of N images.
        rows: what they see, from `input_rows`.
        parameters: weight (width × width) and bias (width) of each layer in turn, then the
            weight of the last one (2 × width).

    Returns:
        2 × P × N.
    """
    result: Tensor = _ContextStack.apply(values, rows, *parameters)  # type: ignore[no-untyped-call]
    return result

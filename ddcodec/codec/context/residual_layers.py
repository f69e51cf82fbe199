"""The layers of the context network in training, forwards and backwards, on gathered inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

CHUNK_ELEMENTS = 1 << 17
"""Hidden values held at once on a CPU: half a megabyte of float32, which stays in cache."""


def with_residual(parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return the parameters with matrices that add a layer's input to its output."""
    *layers, last = parameters
    return [*(_residual(tensor) if tensor.dim() == 2 else tensor for tensor in layers), last]


def _residual(weight: Tensor) -> Tensor:
    return weight + torch.eye(len(weight), dtype=weight.dtype, device=weight.device)


def hidden_layers(inputs: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return the inputs, width × columns, and every hidden layer's output."""
    activations = [inputs]
    for matrix, bias in zip(parameters[:-1:2], parameters[1:-1:2], strict=True):
        activations.append((matrix @ activations[-1]).add_(bias[:, None]).relu_())
    return activations


def pull_back(
    activations: Sequence[Tensor],
    parameters: Sequence[Tensor],
    gradient: Tensor,
    totals: Sequence[Tensor] | None,
) -> Tensor:
    """Return the gradient by the inputs.

    Args:
        activations: of `hidden_layers`.
        parameters: of `with_residual`.
        gradient: by the outputs of the last layer, 2 × columns.
        totals: to which those by the parameters are added, or None.
    """
    if totals is not None:
        totals[-1].addmm_(gradient, activations[-1].t())
    gradient = parameters[-1].t() @ gradient
    for layer in reversed(range(len(activations) - 1)):
        gradient = torch.ops.aten.threshold_backward(gradient, activations[layer + 1], 0)
        if totals is not None:
            totals[2 * layer].addmm_(gradient, activations[layer].t())
            totals[2 * layer + 1] += gradient.sum(1)
        gradient = parameters[2 * layer].t() @ gradient
    return gradient

"""The decoder's 1×1 layers in training: a few pixels at a time, so that they stay in cache.

The hidden activations of a whole batch are tens of megabytes and would be written and read again by
every operation, forward and backward. Here a chunk of pixels runs through all layers at once, and
the backward pass recomputes it instead of keeping it (benchmarks/dense_stack.py measures the gain).
"""

from typing import Any

import torch
from torch import Tensor

CHUNK_ELEMENTS = 1 << 17
"""Hidden values held at once: half a megabyte of float32."""


class _DenseStack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, *parameters)
        weights, biases = parameters[::2], parameters[1::2]
        outputs = inputs.new_empty(len(weights[-1]), inputs.shape[1])
        for part in _chunks(inputs.shape[1], weights):
            outputs[:, part] = _run(inputs[:, part], weights, biases)[-1]
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        inputs, *parameters = ctx.saved_tensors
        weights, biases = parameters[::2], parameters[1::2]
        input_gradient = torch.empty_like(inputs)
        totals = [torch.zeros_like(parameter) for parameter in parameters]
        for part in _chunks(inputs.shape[1], weights):
            activations = _run(inputs[:, part], weights, biases)
            gradient = gradients[0][:, part]
            for layer in reversed(range(len(weights))):
                if layer < len(weights) - 1:
                    gradient = gradient.mul_(activations[layer + 1] > 0)
                totals[2 * layer].addmm_(gradient, activations[layer].t())
                totals[2 * layer + 1] += gradient.sum(1)
                gradient = weights[layer].t() @ gradient
            input_gradient[:, part] = gradient
        return (input_gradient, *totals)


def _chunks(columns: int, weights: tuple[Tensor, ...]) -> list[slice]:
    step = max(128, CHUNK_ELEMENTS // max(len(weight) for weight in weights))
    return [slice(start, start + step) for start in range(0, columns, step)]


def _run(inputs: Tensor, weights: tuple[Tensor, ...], biases: tuple[Tensor, ...]) -> list[Tensor]:
    """Return the input and every layer's output."""
    activations = [inputs]
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        outputs = torch.addmm(bias[:, None], weight, activations[-1])
        activations.append(outputs.relu_() if index < len(weights) - 1 else outputs)
    return activations


def dense_stack(inputs: Tensor, parameters: list[Tensor]) -> Tensor:
    """Apply linear layers with ReLU between them.

    Args:
        inputs: features × columns.
        parameters: weight (out × in) and bias (out) of each layer in turn.

    Returns:
        Outputs × columns, no ReLU after the last layer.
    """
    result: Tensor = _DenseStack.apply(inputs, *parameters)  # type: ignore[no-untyped-call]
    return result

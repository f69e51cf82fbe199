"""The chunked context network equals a plain one."""

import pytest
import torch

from ddcodec.codec.context import context_stack as module
from ddcodec.codec.context.context_stack import context_stack, input_rows
from ddcodec.codec.context.neighbours import all_neighbours
from ddcodec.format.planes import planes_of

CPU = torch.device("cpu")


@pytest.mark.parametrize("chunk", [1, 1 << 10, 1 << 17])
@pytest.mark.parametrize(("context_id", "synthesis_id"), [(1, 1), (2, 1), (3, 3)])
@pytest.mark.parametrize("depth", [1, 3])
def test_values_and_gradients(
    context_id: int, synthesis_id: int, depth: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs and all gradients agree with autograd through gathered inputs and plain layers."""
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", chunk)
    torch.manual_seed(0)
    planes = planes_of(synthesis_id, 3, 3, 9, 6)
    seen = all_neighbours(context_id, 16, planes)
    values = torch.randn(seen.index.shape[1], 5, dtype=torch.float64)
    parameters = [
        torch.randn(shape, dtype=torch.float64) / 4
        for shape in [(16, 16), (16,)] * depth + [(2, 16)]
    ]
    leaves = [tensor.requires_grad_() for tensor in (values, *parameters)]

    table = torch.cat([values.new_zeros(1, 5), values])
    hidden = table[torch.from_numpy(seen.index)]
    magnitude = torch.from_numpy(seen.magnitude)[:, None, None]
    hidden = torch.where(magnitude, hidden.abs(), hidden).flatten(1)
    for weight, bias in zip(parameters[:-1:2], parameters[1:-1:2], strict=True):
        hidden = (weight @ hidden + bias[:, None] + hidden).relu()
    plain = (parameters[-1] @ hidden).view(2, *values.shape)
    slopes = torch.randn_like(plain)
    expected = torch.autograd.grad(plain, leaves, slopes)

    rows = input_rows(context_id, 16, planes, CPU)
    chunked = context_stack(values, rows, parameters)
    assert torch.allclose(chunked, plain)
    for a, b in zip(torch.autograd.grad(chunked, leaves, slopes), expected, strict=True):
        assert torch.allclose(a, b)


def test_gradient_of_latents_alone() -> None:
    """Weights without a gradient change nothing in that of the latents."""
    torch.manual_seed(0)
    rows = input_rows(1, 8, planes_of(1, 2, 1, 4, 4), CPU)
    values = torch.randn(rows.shape[1], 3, requires_grad=True)
    parameters = [torch.randn(8, 8) / 4, torch.randn(8), torch.randn(2, 8)]
    (fixed,) = torch.autograd.grad(context_stack(values, rows, parameters).sum(), values)
    parameters = [parameter.requires_grad_() for parameter in parameters]
    (free,) = torch.autograd.grad(context_stack(values, rows, parameters).sum(), values)
    assert torch.equal(fixed, free)
    assert fixed.abs().sum() > 0

"""The chunked dense layers equal plain ones."""

import pytest
import torch

from ddcodec.codec import dense_stack as module
from ddcodec.codec.dense_stack import dense_stack


@pytest.mark.parametrize("chunk", [1 << 10, 1 << 17])
@pytest.mark.parametrize("widths", [(5,), (7, 4), (3, 9, 6)])
def test_values_and_gradients(
    widths: tuple[int, ...], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs and all gradients agree with autograd through ordinary layers."""
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", chunk)
    torch.manual_seed(0)
    sizes = (4, *widths, 3)
    parameters: list[torch.Tensor] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        parameters += [torch.randn(outputs, inputs), torch.randn(outputs)]
    values = torch.randn(4, 1000)
    leaves = [tensor.requires_grad_() for tensor in (values, *parameters)]
    weights = torch.randn(3, 1000)

    plain = values
    for index in range(0, len(parameters), 2):
        plain = parameters[index] @ plain + parameters[index + 1][:, None]
        plain = plain.relu() if index < len(parameters) - 2 else plain
    expected = torch.autograd.grad((plain * weights).sum(), leaves)
    chunked = dense_stack(values, parameters)
    actual = torch.autograd.grad((chunked * weights).sum(), leaves)
    assert torch.allclose(chunked, plain, atol=1e-4)
    for a, b in zip(actual, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-3)

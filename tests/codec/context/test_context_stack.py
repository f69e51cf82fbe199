"""The context network in parts, and where most latents are 0, equals a plain one."""

import pytest
import torch

from ddcodec.codec.context import context_stack as busy
from ddcodec.codec.context import quiet_stack as quiet
from ddcodec.codec.context.context_stack import context_stack
from ddcodec.codec.context.inputs import context_inputs
from ddcodec.codec.context.neighbours import all_neighbours
from ddcodec.codec.context.quiet_stack import quiet_stack
from ddcodec.format.planes import planes_of

CPU = torch.device("cpu")


@pytest.mark.parametrize("chunk", [1, 1 << 10, 1 << 17])
@pytest.mark.parametrize(("context_id", "synthesis_id"), [(1, 1), (2, 1), (3, 3)])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("share", [0.0, 0.03, 1.0])
def test_values_and_gradients(
    share: float,
    context_id: int,
    synthesis_id: int,
    depth: int,
    chunk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Outputs and all gradients agree with autograd through gathered inputs and plain layers."""
    for module in (busy, quiet):
        monkeypatch.setattr(module, "CHUNK_ELEMENTS", chunk)
    torch.manual_seed(0)
    planes = planes_of(synthesis_id, 3, 3, 9, 6)
    seen = all_neighbours(context_id, 16, planes)
    values = torch.randn(seen.index.shape[1], 20, dtype=torch.float64)
    values *= torch.rand(values.shape) < share
    parameters = [
        torch.randn(shape, dtype=torch.float64) / 4
        for shape in [(16, 16), (16,)] * depth + [(2, 16)]
    ]
    leaves = [tensor.requires_grad_() for tensor in (values, *parameters)]

    table = torch.cat([values.new_zeros(1, 20), values])
    hidden = table[torch.from_numpy(seen.index)]
    magnitude = torch.from_numpy(seen.magnitude)[:, None, None]
    hidden = torch.where(magnitude, hidden.abs(), hidden).flatten(1)
    for weight, bias in zip(parameters[:-1:2], parameters[1:-1:2], strict=True):
        hidden = (weight @ hidden + bias[:, None] + hidden).relu()
    plain = (parameters[-1] @ hidden).view(2, *values.shape)
    slopes = torch.randn_like(plain)
    expected = torch.autograd.grad(plain, leaves, slopes)

    inputs = context_inputs(context_id, 16, planes, CPU)
    ways = [context_stack(values, inputs, parameters)]
    ways.append(quiet_stack(values, inputs, inputs.seeing(values), parameters))
    for outputs in ways:
        assert torch.allclose(outputs, plain)
        for a, b in zip(torch.autograd.grad(outputs, leaves, slopes), expected, strict=True):
            assert torch.allclose(a, b)


@pytest.mark.parametrize("wanted", ["latents", "weights"])
@pytest.mark.parametrize("way", ["busy", "quiet"])
def test_gradients_of_one_alone(way: str, wanted: str) -> None:
    """What has no gradient, the weights or the latents, changes nothing in that of the other."""
    torch.manual_seed(0)
    inputs = context_inputs(1, 8, planes_of(1, 2, 1, 4, 4), CPU)
    values = torch.randn(inputs.rows.shape[1], 3)
    values = values * (torch.rand(values.shape) < 0.3)
    parameters = [torch.randn(8, 8) / 4, torch.randn(8), torch.randn(2, 8)]
    leaves = [values] if wanted == "latents" else parameters

    def gradients() -> list[torch.Tensor]:
        outputs = context_stack(values, inputs, parameters)
        if way == "quiet":
            outputs = quiet_stack(values, inputs, inputs.seeing(values), parameters)
        return list(torch.autograd.grad(outputs.square().sum(), leaves))

    for leaf in leaves:
        leaf.requires_grad_()
    alone = gradients()
    for leaf in (values, *parameters):
        leaf.requires_grad_()
    for one, other in zip(alone, gradients(), strict=True):
        assert torch.equal(one, other)
        assert one.abs().sum() > 0


def test_what_is_quiet() -> None:
    """A twentieth of an input that is not 0 for each latent is quiet, one of sixteen is not."""
    inputs = context_inputs(1, 16, planes_of(1, 2, 1, 32, 32), CPU)
    values = torch.zeros(inputs.rows.shape[1], 1)
    values[::320] = 1
    assert quiet.is_quiet(values, inputs)
    values[::16] = 1
    assert not quiet.is_quiet(values, inputs)

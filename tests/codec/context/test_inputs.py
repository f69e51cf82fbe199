"""Who sees a latent is the inverse of what latents see."""

import pytest
import torch

from ddcodec.codec.context.inputs import context_inputs, gradient_of_latents, table
from ddcodec.format.planes import planes_of


@pytest.mark.parametrize(("context_id", "synthesis_id"), [(1, 1), (2, 1), (3, 3)])
def test_who_sees_something(context_id: int, synthesis_id: int) -> None:
    """Latents that see something are those with an input that is not 0."""
    torch.manual_seed(0)
    planes = planes_of(synthesis_id, 3, 3, 9, 6)
    inputs = context_inputs(context_id, 16, planes, torch.device("cpu"))
    values = torch.randn(inputs.rows.shape[1], 4)
    values *= torch.rand(values.shape) < 0.05
    seen = table(values)[inputs.rows.flatten()].view(inputs.width, -1)
    expected = (seen != 0).any(0).nonzero()[:, 0]
    assert 0 < len(expected) < values.numel()
    seeing = inputs.seeing(values)
    assert torch.equal(seeing, expected)
    is_busy = (seen != 0).any(0) | (values.flatten() != 0)
    assert torch.equal(inputs.busy(values, seeing), is_busy.nonzero()[:, 0])


def test_of_zeros_nobody_sees_anything() -> None:
    """Without a latent that is not 0 the list is empty."""
    inputs = context_inputs(3, 8, planes_of(3, 3, 2, 8, 8), torch.device("cpu"))
    assert len(inputs.seeing(torch.zeros(inputs.rows.shape[1], 2))) == 0


def test_gradient_through_the_table() -> None:
    """The gradient of the latents is that of autograd through the table."""
    torch.manual_seed(0)
    values = torch.randn(7, 3, requires_grad=True)
    slopes = torch.randn(16, 3)
    (expected,) = torch.autograd.grad(table(values), values, slopes)
    assert torch.equal(gradient_of_latents(slopes, values.detach()), expected)

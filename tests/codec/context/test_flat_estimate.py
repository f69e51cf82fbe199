"""What latents cost is the same whether most of them are looked at one by one or by plane."""

from dataclasses import replace

import pytest
import torch

from ddcodec.codec.context.context import CONTEXT_MODELS, ContextModel
from ddcodec.codec.context.flat_estimate import FlatEstimate
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.format.planes import planes_of

PLANES = planes_of(3, 3, 3, 16, 16)
MODEL = ContextModel(CONTEXT_MODELS["bands"], 16, 2, PLANES)


def estimate_of(share: float) -> tuple[FlatEstimate, list[torch.Tensor]]:
    """Return an estimate of latents of which a share is not 0, and what it depends on."""
    generator = torch.Generator().manual_seed(0)
    parameters = MODEL.initial_parameters(generator)
    for name, value in parameters.items():
        if name.endswith("bias"):
            value += torch.randn(value.shape, generator=generator) / 3
        value.requires_grad_()
    size = sum(plane.size for plane in PLANES)
    rows = torch.randn(6, size, generator=generator).mul(3).round()
    rows *= torch.rand(rows.shape, generator=generator) < share
    rows.requires_grad_()
    return MODEL.estimate_flat(parameters, rows), [rows, *parameters.values()]


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_bits_and_slopes(share: float) -> None:
    """Costs and all their gradients agree with those of every latent for itself."""
    flat, leaves = estimate_of(share)
    assert flat.quiet is not None
    assert len(flat.quiet.busy) < flat.values.numel() / 2
    one_by_one = replace(flat, quiet=None).rate_bits(LaplaceModel())
    bits = flat.rate_bits(LaplaceModel())
    assert torch.allclose(bits, one_by_one, atol=1e-6)
    slopes = torch.rand(bits.shape, generator=torch.Generator().manual_seed(1))
    expected = torch.autograd.grad(one_by_one, leaves, slopes, retain_graph=True)
    for a, b in zip(torch.autograd.grad(bits, leaves, slopes), expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def test_held_values_have_no_slope() -> None:
    """Of latents held as they are, the cost falls by what sees them alone."""
    flat, (rows, *_) = estimate_of(0.02)
    held = replace(flat, values=flat.values.detach())
    expected = replace(held, quiet=None).rate_bits(LaplaceModel()).sum()
    (wanted,) = torch.autograd.grad(expected, rows, retain_graph=True)
    (found,) = torch.autograd.grad(held.rate_bits(LaplaceModel()).sum(), rows)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert found.abs().sum() > 0


def test_busy_latents_are_looked_at_one_by_one() -> None:
    """Where most latents are not 0, nothing is said of quiet ones."""
    assert estimate_of(0.5)[0].quiet is None

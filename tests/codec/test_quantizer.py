"""Soft rounding, its noise, and straight-through rounding."""

import pytest
import torch

from ddcodec.codec.quantizer import (
    SoftQuantizer,
    StraightThrough,
    kumaraswamy_noise,
    soft_round,
)


def test_soft_round_between_identity_and_rounding() -> None:
    """Cold it rounds, hot it leaves values alone; integers and halves stay for any temperature."""
    values = torch.linspace(-2.9, 2.9, 59)
    away = values[(values - values.floor() - 0.5).abs() > 0.05]
    assert torch.allclose(soft_round(away, 1e-3), away.round(), atol=1e-5)
    assert torch.allclose(soft_round(values, 1e3), values, atol=1e-3)


@pytest.mark.parametrize("shape", [1.0, 1.5, 2.0])
def test_noise_stays_inside_half_a_step(shape: float) -> None:
    """Noise lies in −½ … ½, centred, and narrower for larger shapes."""
    noise = kumaraswamy_noise(torch.zeros(20_000), shape, torch.Generator().manual_seed(0))
    assert noise.abs().max() <= 0.5
    assert abs(noise.mean()) < 0.02
    assert noise.std() == pytest.approx({1.0: 0.289, 1.5: 0.254, 2.0: 0.221}[shape], abs=0.03)


def test_gradients_pass() -> None:
    """Both quantisers let gradients through; straight-through lets them through unchanged."""
    values = torch.linspace(-1.3, 1.4, 28, requires_grad=True)
    StraightThrough()(values).sum().backward()
    assert torch.equal(values.grad, torch.ones(28))
    assert torch.equal(StraightThrough()(values), values.round())
    soft = SoftQuantizer(0.3, 2.0, torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad(soft(values).sum(), values)
    assert torch.isfinite(gradient).all() and (gradient >= 0).all() and gradient.sum() > 0

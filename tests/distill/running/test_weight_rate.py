"""The bits of weights: what coding them costs, and a pull towards cheaper ones."""

import torch
from distill.small_descent import small_start

from ddcodec.codec.parameters import coded_bits, fitting_log2_scale, quantize
from ddcodec.distill.running.weight_rate import WeightRate


def test_bits_are_near_the_coded_ones() -> None:
    """Over all tensors the continuous cost is within a fifth of what the coder will spend."""
    representation, _, _ = small_start()
    networks = representation.networks[0]
    exponents = dict.fromkeys(networks, 8)
    scales = {name: fitting_log2_scale(value.detach(), 8) for name, value in networks.items()}
    rate = WeightRate([exponents], [scales])
    coded = sum(coded_bits(quantize(value.detach().numpy(), 8)) for value in networks.values())
    assert abs(float(rate.bits([networks]).detach()) / coded - 1) < 0.2
    assert WeightRate(*rate.state()).state() == rate.state()


def test_gradient_pulls_towards_zero() -> None:
    """A weight far from zero costs more, by 1 / (b ln 2) bits a step of its scale b."""
    weights = torch.tensor([0.5, -0.5, 2.0], requires_grad=True)
    rate = WeightRate([{"w": 4}], [{"w": 2.0}])
    rate.bits([{"w": weights}]).backward()
    assert weights.grad is not None
    slope = 2**4 / 2**2 / 0.6931472
    assert torch.allclose(weights.grad, torch.tensor([slope, -slope, slope]), rtol=1e-4)

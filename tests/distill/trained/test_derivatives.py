"""Derivatives of a network's loss against autograd's, plain and compiled."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ddcodec.distill.trained.derivatives import (
    GRADIENTS_TO_COMPILE,
    SLOPES_TO_COMPILE,
    LossDerivatives,
    compiling_pays,
)
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.networks import precision

CPU = torch.device("cpu")


@pytest.fixture
def network() -> FlatNetwork:
    """A narrow ConvNet on 8×8 images of three classes."""
    return FlatNetwork("convnet", (1, 8, 8), 3, 4, CPU)


def _batch(network: FlatNetwork) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return weights, a direction, images and labels."""
    stream = torch.Generator().manual_seed(1)
    weights = network.initial(0)
    direction = torch.randn(weights.shape, generator=stream)
    images = torch.randn((5, 1, 8, 8), generator=stream)
    return weights, direction, images, torch.tensor([0, 1, 2, 0, 1])


def _by_autograd(
    network: FlatNetwork, weights: Tensor, direction: Tensor, images: Tensor, labels: Tensor
) -> tuple[Tensor, ...]:
    """Return loss, gradient, slope, and the slope's gradients, by differentiating twice."""
    weights, images = weights.clone().requires_grad_(), images.clone().requires_grad_()
    loss = F.cross_entropy(network.logits(weights, images), labels)
    (gradient,) = torch.autograd.grad(loss, weights, create_graph=True)
    slope = gradient @ direction
    by_weights, by_images = torch.autograd.grad(slope, (weights, images))
    return loss.detach(), gradient.detach(), slope.detach(), by_weights, by_images


@pytest.mark.parametrize("is_compiled", [False, True])
def test_derivatives_are_those_of_autograd(network: FlatNetwork, is_compiled: bool) -> None:
    """In float32 the gradient, the slope and both of its gradients agree, compiled or not."""
    if is_compiled and not precision.compiler_found():
        pytest.skip("there is no compiler")
    weights, direction, images, labels = _batch(network)
    expected = _by_autograd(network, weights, direction, images, labels)
    derivatives = LossDerivatives(network, bfloat16=False, is_compiled=is_compiled)
    gradient, loss = derivatives.gradient(weights, images, labels)
    found = loss, gradient, *derivatives.slope(weights, direction, images, labels)
    for given, wanted in zip(found, expected, strict=True):
        assert torch.allclose(given, wanted, rtol=1e-3, atol=1e-5)


def test_bfloat16_points_the_same_way(network: FlatNetwork) -> None:
    """Everything stays float32 outside and keeps its direction."""
    weights, direction, images, labels = _batch(network)
    _, _, _, *expected = _by_autograd(network, weights, direction, images, labels)
    derivatives = LossDerivatives(network, bfloat16=True, is_compiled=False)
    _, *found = derivatives.slope(weights, direction, images, labels)
    for given, wanted in zip(found, expected, strict=True):
        assert given.dtype == torch.float32
        assert F.cosine_similarity(given.flatten(), wanted.flatten(), dim=0) > 0.97


@pytest.mark.parametrize("least", [GRADIENTS_TO_COMPILE, SLOPES_TO_COMPILE])
def test_long_work_is_compiled_on_a_cpu(monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    """From a number of images of 32×32 on, of fewer larger ones, and only with a compiler."""
    monkeypatch.setattr(precision, "compiler_found", lambda: True)
    assert not compiling_pays(CPU, least - 1, 32 * 32, least)
    assert compiling_pays(CPU, least, 32 * 32, least)
    assert compiling_pays(CPU, least / 16, 128 * 128, least)
    monkeypatch.setattr(precision, "compiler_found", lambda: False)
    assert not compiling_pays(CPU, least, 32 * 32, least)

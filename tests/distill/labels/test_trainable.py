"""A labeler in training and its integers say the same."""

import numpy as np
import pytest
import torch

from ddcodec.codec.labels.labeler import ExactLabeler
from ddcodec.codec.parameters import coded_bits
from ddcodec.distill.labels.trainable import TrainableLabeler
from ddcodec.format.labeler_layers import LabelerLayer, LabelerShape

SHAPE = LabelerShape(
    (LabelerLayer(4, 3), LabelerLayer(6, 3, pooled=True), LabelerLayer(6, 1, skip=1)),
    (3, 9, 8),
    4,
)


def _trained() -> TrainableLabeler:
    network = TrainableLabeler(SHAPE, seed=3)
    stream = torch.Generator().manual_seed(0)
    for _ in range(20):
        network(255 * torch.rand(16, 3, 9, 8, generator=stream))
    network.out_gain.data.fill_(1.0)
    return network.eval()


def test_integers_compute_what_was_trained() -> None:
    """Folded into gains and biases, the exact labeler gives the logits of the trained one."""
    network = _trained()
    images = np.random.default_rng(1).integers(0, 256, (12, 3, 9, 8), dtype=np.uint8)
    with torch.no_grad():
        expected = network(torch.from_numpy(images).float()).numpy()
    exact = ExactLabeler(SHAPE, network.tensors()).logits(images) / 4096
    # Gains and biases are rounded to 2^-10 and 2^-6.
    assert np.abs(exact - expected).max() < 0.1
    assert np.abs(expected).max() > 0.5


def test_weights_are_rounded_and_learn() -> None:
    """Changing a weight within half a step changes nothing but gets a gradient."""
    network = _trained()
    images = torch.full((1, 3, 9, 8), 200.0)
    network.layers[0].weight.data.round_()  # type: ignore[union-attr]
    before = network(images)
    network.layers[0].weight.data.add_(0.3)  # type: ignore[union-attr]
    after = network(images)
    assert torch.equal(before, after)
    after.sum().backward()
    assert float(network.layers[0].weight.grad.abs().sum()) > 0  # type: ignore[union-attr]


@pytest.mark.parametrize("factor", [0.25, 0.4, 1.0, 3.0])
def test_rate_is_that_of_the_coder(factor: float) -> None:
    """The estimate of the weights' bits is near what the coder spends on them."""
    shape = LabelerShape((LabelerLayer(48, 3), LabelerLayer(48, 3)), (3, 8, 8), 10)
    network = TrainableLabeler(shape, seed=1)
    network.layers[1].weight.data.mul_(factor)  # type: ignore[union-attr]
    tensors = network.tensors()
    real = sum(coded_bits(part) for name, part in tensors.items() if name.endswith("weight"))
    assert abs(float(network.rate_bits().detach()) / real - 1) < 0.03

"""The labeler in floats: what it takes, and a number by hand."""

import numpy as np
import pytest
import torch

from ddcodec.codec.labeler_network import LabelerNetwork
from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.format.labeler_layers import LabelerLayer, LabelerShape


def _network() -> LabelerNetwork:
    shape = LabelerShape((LabelerLayer(1, 1),), (1, 1, 2), 2)
    numbers = {
        "labeler.0.weight": ([[[[3]]]], 1),
        "labeler.0.gain": ([5], 2),
        "labeler.0.bias": ([1], 3),
        "labeler.out.weight": ([[2], [-3]], 0),
        "labeler.out.gain": ([1, 1], 1),
        "labeler.out.bias": ([0, 5], 12),
    }
    return LabelerNetwork(
        shape,
        {name: QuantizedTensor(np.array(value), step) for name, (value, step) in numbers.items()},
    )


def test_numbers_by_hand() -> None:
    """Pixels between grey levels count, too: 129 ½ is 1.5 / 128."""
    logits = _network()(torch.tensor([[[[129.0, 130.0]]], [[[129.5, 129.5]]]]))
    mean = 1.5 * 1.25 * 1.5 / 128 + 0.125
    row = [mean, -1.5 * mean + 5 / 4096]
    assert logits.tolist() == [pytest.approx(row, rel=1e-6)] * 2


@pytest.mark.parametrize("pixel", [0, 127, 128, 255])
def test_bytes_are_taken_as_grey_levels(pixel: int) -> None:
    """An image of uint8 has the logits of the same numbers in floats."""
    pixels = torch.full((1, 1, 1, 2), pixel, dtype=torch.uint8)
    assert torch.equal(_network()(pixels), _network()(pixels.float()))

"""The labeler in floats: what it takes, and a number by hand."""

import numpy as np
import pytest
import torch

from ddcodec.codec.labels.labeler_network import LabelerNetwork
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


def test_feature_maps_are_the_last_of_each_size() -> None:
    """Layers of 8, 4, 4, 2 and 1 pixels: the last of 4, that of 2 and that of 1, largest first."""
    layers = (
        LabelerLayer(1, 3), LabelerLayer(2, 3, pooled=True), LabelerLayer(3, 3),
        LabelerLayer(2, 3, pooled=True), LabelerLayer(4, 1, pooled=True),
    )  # fmt: skip
    shape = LabelerShape(layers, (1, 8, 8), 2)
    rng = np.random.default_rng(0)
    tensors = {
        name: QuantizedTensor(rng.integers(-3, 4, size), 2)
        for name, size in shape.tensor_shapes().items()
    }
    network = LabelerNetwork(shape, tensors)
    pixels = torch.from_numpy(rng.integers(0, 256, (5, 1, 8, 8))).float()
    logits, maps = network.stages(pixels)
    assert torch.equal(logits, network(pixels))
    assert [tuple(values.shape) for values in maps] == [(5, 3, 4, 4), (5, 2, 2, 2), (5, 4, 1, 1)]
    weight, gain, bias = (
        torch.from_numpy(tensors[f"labeler.out.{part}"].values).float()
        for part in ("weight", "gain", "bias")
    )
    assert torch.allclose(logits, maps[-1].mean((2, 3)) @ weight.T * gain + bias, rtol=1e-5)


def test_more_sizes_than_are_handed_out() -> None:
    """Of four sizes below the image's the three smallest come; without pooling there are none."""
    for pooled, sides in ((True, [4, 2, 1]), (False, [])):
        shape = LabelerShape((LabelerLayer(1, 1, pooled),) * 4, (1, 16, 16), 2)
        tensors = {
            name: QuantizedTensor(np.ones(size, np.int64), 0)
            for name, size in shape.tensor_shapes().items()
        }
        _, maps = LabelerNetwork(shape, tensors).stages(torch.zeros(1, 1, 16, 16))
        assert [values.shape[-1] for values in maps] == sides

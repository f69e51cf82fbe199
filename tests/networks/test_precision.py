"""How many images a network is given at once, and that the parts are the whole."""

import pytest
import torch
from torch import Tensor

from ddcodec import networks
from ddcodec.networks import precision


@pytest.mark.parametrize(
    ("side", "there_and_back", "forwards"), [(32, 32, 64), (64, 8, 16), (128, 4, 4), (224, 4, 4)]
)
def test_large_images_are_taken_a_few_at_a_time(
    side: int, there_and_back: int, forwards: int
) -> None:
    """On a CPU as many as its cache holds, and never fewer than four."""
    images = torch.empty(1, 3, 1, 1).expand(9, 3, side, side)
    assert precision.micro_batch(images) == there_and_back
    assert precision.micro_batch(images, precision.LOOKED_AT_PIXELS) == forwards


def test_no_images_are_no_trouble() -> None:
    """A labeler asked about nothing answers with nothing."""
    nothing = torch.empty(0, 3, 32, 32)
    assert precision.micro_batch(nothing) == 32
    assert precision.looked_at(lambda images: images, nothing).shape == nothing.shape


def test_elsewhere_all_are_taken_at_once() -> None:
    """A GPU is idle while it is given a few images only."""
    assert precision.micro_batch(torch.empty(9, 3, 128, 128, device="meta")) == 9


def test_what_is_looked_at_in_parts_is_the_same() -> None:
    """Six images of 128×128 are seen four and two at a time, and in their order."""
    network = networks.build("convnet", (3, 128, 128), 3, seed=0, network_width=4).eval()
    seen: list[int] = []

    def watched(images: Tensor) -> Tensor:
        seen.append(len(images))
        return network(images)

    images = torch.randn(6, 3, 128, 128)
    with torch.no_grad():
        found = precision.looked_at(watched, images)
        assert torch.allclose(found, network(images), rtol=1e-4, atol=1e-5)
    assert seen == [4, 2]

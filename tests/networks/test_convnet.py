"""The ConvNet, its pooling, and what it sees."""

import pytest
import torch
import torch.nn.functional as F

from ddcodec.errors import DataError, RecipeError
from ddcodec.networks import ConvNet, build, normalise
from ddcodec.networks.convnet import HalvingPool, default_depth


def test_convnet_d3_has_the_published_number_of_weights() -> None:
    """ConvNetD3 of width 128 on CIFAR-10 has 320,010 weights."""
    network = ConvNet((3, 32, 32), 10)
    assert network.depth == 3
    assert sum(p.numel() for p in network.parameters()) == 320_010


@pytest.mark.parametrize(
    ("size", "depth"), [((28, 28), 3), ((32, 32), 3), ((64, 80), 4), ((128, 128), 5), ((2, 2), 1)]
)
def test_default_depth(size: tuple[int, int], depth: int) -> None:
    """The depth follows the smaller side as in the literature."""
    assert default_depth(*size) == depth


def test_convnet_normalises_each_image_by_itself() -> None:
    """An image's embedding does not depend on the rest of its batch."""
    network = ConvNet((3, 16, 16), 2, network_width=8)
    images = torch.randn(4, 3, 16, 16)
    together = network.features(images)
    assert torch.allclose(together[1:2], network.features(images[1:2]), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "depth"), [((3, 1, 1), None), ((3, 16, 16), 5), ((0, 16, 16), None), ((3, 8, 8), 0)]
)
def test_convnet_refuses_impossible_sizes(shape: tuple[int, int, int], depth: int | None) -> None:
    """Sizes that leave no pixel, or are no sizes, are refused."""
    with pytest.raises(RecipeError):
        ConvNet(shape, 2, depth=depth)


def test_halved_convnet_is_that_of_smaller_images() -> None:
    """Its weights are those for half the side, and it sees the means of 2×2 pixels."""
    halved = build("convnet-half", (3, 64, 64), 4, seed=0, network_width=8)
    small = build("convnet", (3, 32, 32), 4, seed=0, network_width=8)
    pairs = zip(halved.parameters(), small.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    images = torch.randn(2, 3, 64, 64)
    assert torch.allclose(halved(images), small(F.avg_pool2d(images, 2)), atol=1e-5)
    with pytest.raises(RecipeError, match="size"):
        build("convnet-half", (3, 1, 64), 4, seed=0)


def test_normalise_by_hand() -> None:
    """Pixels 0 and 255 land where (x − mean) / std puts them."""
    images = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1)
    assert torch.allclose(normalise(images, (0.5,), (0.25,)).flatten(), torch.tensor([-2.0, 2.0]))


def test_normalise_refuses_what_does_not_fit() -> None:
    """Wrong dtype, wrong channel count and zero deviations are refused."""
    images = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    for bad, mean, std in (
        (images.float(), (0.5,) * 3, (0.5,) * 3),
        (images, (0.5,), (0.5,)),
        (images, (0.5,) * 3, (0.5, 0.5, 0.0)),
    ):
        with pytest.raises(DataError):
            normalise(bad, mean, std)


@pytest.mark.parametrize("size", [(2, 2), (7, 5), (6, 9), (4, 600)])
def test_pooling_is_the_mean_of_four(size: tuple[int, int]) -> None:
    """Values and first and second derivatives are those of plain average pooling."""
    images = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    results = []
    for pool in (HalvingPool(), torch.nn.AvgPool2d(2)):
        means = pool(images)
        (first,) = torch.autograd.grad(means.pow(3).sum(), images, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), images)
        assert torch.allclose(means[1, 2, 0, 0], images[1, 2, :2, :2].mean())
        results.append(torch.stack([first, second]))
    assert torch.allclose(*results)

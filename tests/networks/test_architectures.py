"""What every architecture promises, by every name it has, and how names are read."""

import pytest
import torch
from torch import nn

from ddcodec import networks
from ddcodec.errors import RecipeError
from ddcodec.networks import NETWORKS, Classifier
from ddcodec.networks.norms import NORMS
from ddcodec.networks.vit import default_patch

ARCHITECTURES = [
    *NETWORKS,
    *(f"{name}-{norm}" for name, network in NETWORKS.items() for norm in network.norms[1:]),
    *(f"{name}-half" for name, network in NETWORKS.items() if network.takes_halved),
]
SMALLEST = {"convnet": 2, "resnet18": 9, "vgg11": 32, "alexnet": 8, "vit": 1}


def _build(arch: str, shape: tuple[int, int, int], classes: int = 7, seed: int = 0) -> Classifier:
    return networks.build(arch, shape, classes, seed=seed, network_width=8)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize(
    "shape", [(1, 28, 28), (3, 32, 32), (3, 33, 40), (3, 64, 64), (1, 128, 128)]
)
def test_every_network_takes_the_sizes_of_the_field(arch: str, shape: tuple[int, int, int]) -> None:
    """Every entry embeds and classifies grey, colour, odd and non-square images."""
    network = _build(arch, shape).eval()
    images = torch.randn(2, *shape)
    with torch.no_grad():
        features, logits = network.features(images), network(images)
    assert features.shape == (2, network.classifier.in_features)
    assert logits.shape == (2, 7)
    assert torch.equal(network.classifier(features), logits)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_build_is_a_function_of_the_seed(arch: str) -> None:
    """Equal seeds give equal weights, others do not, and the global state stays untouched."""
    before = torch.random.get_rng_state()
    weights = [_build(arch, (3, 32, 32), 2, seed).state_dict() for seed in (5, 5, 6)]
    assert torch.equal(before, torch.random.get_rng_state())
    last = next(reversed(weights[0]))
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    assert not torch.equal(weights[0][last], weights[2][last])


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_gradients_reach_pixels_and_all_weights(arch: str) -> None:
    """Nothing cuts the way from the loss to the input or to a weight."""
    torch.manual_seed(0)
    network = _build(arch, (3, 32, 32))
    images = torch.randn(4, 3, 32, 32, requires_grad=True)
    network(images).square().sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_whether_images_are_mixed_is_what_the_network_says(arch: str) -> None:
    """In training, an image alone gives what it gives in a batch, unless `mixes_images`."""
    network = _build(arch, (3, 32, 32)).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    together, alone = network(images)[:2], network(images[:2])
    assert torch.allclose(together, alone, atol=1e-5) != network.mixes_images
    assert network.mixes_images == arch.endswith("-batch")


@pytest.mark.parametrize("arch", NETWORKS)
def test_smallest_sizes(arch: str) -> None:
    """The smallest image tells classes apart; a smaller one is refused with a reason."""
    side = SMALLEST[arch]
    network = _build(arch, (3, side, side)).eval()
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    one, other = network(images)
    assert not torch.allclose(one, other)
    if side > 1:
        with pytest.raises(RecipeError, match=f"{side - 1}"):
            _build(arch, (3, side, side - 1))
    for shape, classes in (((3, 0, 32), 2), ((3, 32, 32), 0)):
        with pytest.raises(RecipeError, match="positive"):
            _build(arch, shape, classes)


@pytest.mark.parametrize(
    ("arch", "weights"),
    [
        ("convnet", 320_010),
        ("convnet-batch", 320_010),
        ("convnet-none", 320_010 - 3 * 256),
        ("convnet-layer", 320_010 - 3 * 256 + 2 * 128 * (32**2 + 16**2 + 8**2)),
        ("convnet-d4", 320_010 + 128 * 128 * 9 + 3 * 128 - (16 - 4) * 128 * 10),
        ("resnet18", 11_173_962),
        ("vgg11", 9_231_114),
        ("alexnet", 1_872_202),
    ],
)
def test_number_of_weights_is_the_published_one(arch: str, weights: int) -> None:
    """On CIFAR-10 the networks have the sizes of Zhao's code (ICLR 2021)."""
    network = networks.build(arch, (3, 32, 32), 10, seed=0)
    assert sum(parameter.numel() for parameter in network.parameters()) == weights


def test_mnist_is_padded_to_32() -> None:
    """Grey 28×28 images become 32×32 in the first convolution, as in Zhao's code."""
    for arch, features in (("convnet", 8 * 4 * 4), ("vgg11", 64), ("alexnet", 12 * 4 * 4)):
        assert _build(arch, (1, 28, 28)).classifier.in_features == features
    assert _build("convnet", (3, 28, 28)).classifier.in_features == 8 * 3 * 3


def test_names_have_depth_and_norm() -> None:
    """A depth and a norm follow the family; a convnet without norm has none."""
    assert networks.parse_arch("convnet-d4-none")[1] == {"depth": 4, "norm": "none"}
    network = networks.build("convnet-d4-none", (3, 32, 32), 2, seed=0, network_width=8)
    kinds = [type(module) for module in network.modules()]
    assert kinds.count(nn.Conv2d) == 4 and kinds.count(nn.GroupNorm) == 0
    assert networks.parse_arch("resnet18-batch")[1] == {"norm": "batch"}
    options = {"depth": 4, "norm": "batch", "halved": True}
    assert networks.parse_arch("convnet-d4-batch-half")[1] == options


@pytest.mark.parametrize(
    ("arch", "pattern"),
    [
        ("lenet", "'lenet'; known are: convnet, resnet18, vgg11, alexnet, vit"),
        ("", "known are"),
        ("convnet-", "takes -dN"),
        ("convnet-d0", "takes -dN"),
        ("convnet-none-d4", "takes -dN"),
        ("convnet-batch-layer", "-group, -none"),
        ("convnet-half-batch", "-half for images at half their side"),
        ("resnet18-half", "takes -instance, -batch"),
        ("resnet18-d4", "takes -instance, -batch"),
        ("vgg11-layer", "takes -instance, -batch"),
        ("vit-batch", "takes no options"),
    ],
)
def test_unknown_names_are_refused(arch: str, pattern: str) -> None:
    """What is no architecture is named, with what there is."""
    with pytest.raises(RecipeError, match=pattern):
        networks.build(arch, (3, 32, 32), 10, seed=0)


def test_widths_that_cannot_be_divided() -> None:
    """Group norm and attention heads need divisible widths; every norm has a network."""
    for arch in ("convnet-group", "vit"):
        with pytest.raises(RecipeError, match="divide"):
            networks.build(arch, (3, 32, 32), 2, seed=0, network_width=6)
    assert set(NORMS) == set(NETWORKS["convnet"].norms)
    with pytest.raises(RecipeError, match="'weight'"):
        networks.ConvNet((3, 8, 8), 2, norm="weight")


def test_patches_of_the_transformer() -> None:
    """Patches are 16 pixels at 128×128, as published, and an eighth of the side elsewhere."""
    sides = [default_patch(side, side) for side in (128, 64, 32, 28, 8, 3)]
    assert sides == [16, 8, 4, 4, 1, 1]
    vit = networks.build("vit", (3, 128, 128), 10, seed=0)
    assert vit.classifier.in_features == 512
    assert sum(isinstance(module, nn.Softmax | nn.GELU) for module in vit.modules()) == 10

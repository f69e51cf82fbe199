"""Classifiers: what reads the synthetic training set, and what distillation looks through.

To add one, write a subclass of `Classifier` and name it in `NETWORKS`.
"""

import re
from typing import Any

import torch

from ddcodec.errors import RecipeError
from ddcodec.networks.alexnet import AlexNet
from ddcodec.networks.classifier import Classifier
from ddcodec.networks.convnet import ConvNet
from ddcodec.networks.normalise import normalise
from ddcodec.networks.resnet import ResNet18
from ddcodec.networks.vgg import VGG11
from ddcodec.networks.vit import ViT

NETWORKS: dict[str, type[Classifier]] = {
    "convnet": ConvNet,
    "resnet18": ResNet18,
    "vgg11": VGG11,
    "alexnet": AlexNet,
    "vit": ViT,
}

_DEPTH = re.compile(r"d([1-9]\d?)")
_HALF = "half"


def parse_arch(arch: str) -> tuple[type[Classifier], dict[str, Any]]:
    """Read the name of an architecture: a key of `NETWORKS`, then `-dDEPTH`, `-NORM` and `-half`.

    `convnet`, `convnet-d4`, `convnet-batch`, `convnet-d4-none` and `convnet-half` are names,
    `resnet18-batch` is one; which norms there are, and whether there are a depth and halves, the
    class says.

    Returns:
        The class, and `depth`, `norm` and `halved` where the name has them.

    Raises:
        RecipeError: There is no such architecture.
    """
    family, *options = arch.split("-")
    if family not in NETWORKS:
        raise RecipeError(f"Unknown network '{arch}'; known are: {', '.join(NETWORKS)}.")
    network = NETWORKS[family]
    settings: dict[str, Any] = {}
    if options and network.takes_depth and (depth := _DEPTH.fullmatch(options[0])):
        settings["depth"] = int(depth[1])
        del options[0]
    if options and options[0] in network.norms:
        settings["norm"] = options.pop(0)
    if options == [_HALF] and network.takes_halved:
        settings["halved"] = True
        del options[0]
    if options:
        takes = ["-dN for the depth"] * network.takes_depth
        takes += [f"-{norm}" for norm in network.norms]
        takes += [f"-{_HALF} for images at half their side"] * network.takes_halved
        raise RecipeError(
            f"Unknown network '{arch}'; {family} takes {', '.join(takes) or 'no options'}."
        )
    return network, settings


def build(
    arch: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    seed: int,
    network_width: int | None = None,
) -> Classifier:
    """Build a network whose initial weights depend on the arguments only.

    Torch's global random state is left as it was. The weights are made on the CPU, so they are
    the same for every device.

    Args:
        arch: A name that `parse_arch` knows.
        image_shape: (C, H, W).
        num_classes: Outputs of the classifier.
        seed: Seed of the initial weights, 0 … 2^63 − 1.
        network_width: Channels of the (first) convolutions; None for the published number.

    Returns:
        The network, on the CPU, in training mode.

    Raises:
        RecipeError: The name is unknown or the sizes do not fit the architecture.
    """
    network, settings = parse_arch(arch)
    if network_width is not None:
        settings["network_width"] = network_width
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        return network(image_shape, num_classes, **settings)


__all__ = ["NETWORKS", "Classifier", "ConvNet", "build", "normalise", "parse_arch"]

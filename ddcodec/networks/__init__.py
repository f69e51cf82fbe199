"""Classifiers: what reads the synthetic training set, and what distillation looks through.

To add one, write a subclass of `Classifier` whose constructor has the signature of
`NetworkBuilder` and name it in `NETWORKS`.
"""

from typing import Protocol

import torch

from ddcodec.errors import RecipeError
from ddcodec.networks.classifier import Classifier
from ddcodec.networks.convnet import ConvNet
from ddcodec.networks.normalise import normalise


class NetworkBuilder(Protocol):
    """Make a freshly initialised network from torch's global random state."""

    def __call__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        network_width: int = 128,
        depth: int | None = None,
    ) -> Classifier:
        """Return a network for images of shape (C, H, W); depth None chooses by size."""
        ...


NETWORKS: dict[str, NetworkBuilder] = {
    "convnet": ConvNet,
}


def build(
    arch: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    seed: int,
    network_width: int = 128,
) -> Classifier:
    """Build a network whose initial weights depend on the arguments only.

    Torch's global random state is left as it was. The weights are made on the CPU, so they are
    the same for every device.

    Args:
        arch: A key of `NETWORKS`.
        image_shape: (C, H, W).
        num_classes: Outputs of the classifier.
        seed: Seed of the initial weights, 0 … 2^63 − 1.
        network_width: Channels of the (first) convolutions.

    Returns:
        The network, on the CPU, in training mode.

    Raises:
        RecipeError: The name is unknown or the sizes do not fit the architecture.
    """
    if arch not in NETWORKS:
        raise RecipeError(f"Unknown network '{arch}'; known are: {', '.join(NETWORKS)}.")
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        return NETWORKS[arch](image_shape, num_classes, network_width)


__all__ = ["NETWORKS", "Classifier", "ConvNet", "NetworkBuilder", "build", "normalise"]

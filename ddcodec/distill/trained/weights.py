"""All weights of a network as one vector, which is what is stored, mixed and matched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from ddcodec import networks
from ddcodec.errors import RecipeError
from ddcodec.networks import Classifier


class FlatNetwork:
    """An architecture whose weights are handed to it as a vector, in order of its parameters.

    Args:
        arch: A key of `ddcodec.networks.NETWORKS`.
        image_shape: (C, H, W).
        num_classes: Outputs of the classifier.
        network_width: Channels of the (first) convolutions.
        device: Where to compute.

    Raises:
        RecipeError: The architecture is unknown, does not fit the images, or keeps running
            statistics, which are no weights.
    """

    def __init__(
        self,
        arch: str,
        image_shape: tuple[int, int, int],
        num_classes: int,
        network_width: int,
        device: torch.device,
    ) -> None:
        self._key = (arch, image_shape, num_classes)
        self._network_width = network_width
        self.device = device
        self.module = self._build(0).to(device).requires_grad_(False)
        if any(True for _ in self.module.buffers()):
            raise RecipeError(
                f"The network '{arch}' keeps running statistics, which weights alone do not hold; "
                "choose one without, such as convnet."
            )
        named = list(self.module.named_parameters())
        self._names = [name for name, _ in named]
        self._shapes = [parameter.shape for _, parameter in named]
        self._sizes = [parameter.numel() for _, parameter in named]

    def _build(self, seed: int) -> Classifier:
        arch, shape, classes = self._key
        return networks.build(arch, shape, classes, seed=seed, network_width=self._network_width)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], device: torch.device) -> FlatNetwork:
        """Return the network that a folder of trained ones says it holds."""
        shape, classes = tuple(facts["image_shape"]), facts["num_classes"]
        return cls(facts["arch"], shape, classes, facts["network_width"], device)

    @property
    def num_weights(self) -> int:
        """Length of the vector."""
        return sum(self._sizes)

    def initial(self, seed: int) -> Tensor:
        """Return freshly initialised weights, float32 P, on the device."""
        parameters = [p.detach().flatten() for p in self._build(seed).parameters()]
        return torch.cat(parameters).to(self.device)

    def named(self, weights: Tensor) -> dict[str, Tensor]:
        """Split a vector P into tensors by name; gradients flow back to the vector."""
        return dict(zip(self._names, self.tensors(weights), strict=True))

    def tensors(self, weights: Tensor) -> Iterator[Tensor]:
        """Yield the tensors of a vector P in order."""
        for part, shape in zip(torch.split(weights, self._sizes), self._shapes, strict=True):
            yield part.view(shape)

    def logits(self, weights: Tensor, images: Tensor) -> Tensor:
        """Classify normalised images N×C×H×W with given weights P."""
        result: Tensor = functional_call(self.module, self.named(weights), (images,))
        return result

    def classifier(self, weights: Tensor) -> Classifier:
        """Return a network with these weights, in evaluation mode, that wants no gradients."""
        network = self._build(0).to(self.device).requires_grad_(False).eval()
        network.load_state_dict(self.named(weights.to(self.device, torch.float32)))
        return network

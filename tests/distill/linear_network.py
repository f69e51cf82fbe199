"""A network that can be worked out by hand: pixels times a matrix."""

import torch
from torch import Tensor, nn

from ddcodec.networks import Classifier


class LinearNetwork(Classifier):
    """Logits are pixels times weights; there is no bias."""

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        network_width: int = 1,
        depth: int | None = None,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.classifier = nn.Linear(channels * height * width, num_classes, bias=False)

    def features(self, images: Tensor) -> Tensor:
        """Return the pixels."""
        return torch.flatten(images, 1)

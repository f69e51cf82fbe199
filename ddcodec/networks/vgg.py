"""VGG11 with one linear layer, as the field trains it on small images."""

from typing import ClassVar

from torch import Tensor, nn

from ddcodec.networks.classifier import Classifier, check_sizes, padded_as_mnist, too_small
from ddcodec.networks.norms import norm_layer

STAGES = ((1,), (2,), (4, 4), (8, 8), (8, 8))
"""Channels of each convolution in multiples of the width; max pooling ends a stage."""


class VGG11(Classifier):
    """VGG11 (Simonyan & Zisserman, ICLR 2015) as in Zhao et al., ICLR 2021.

    Eight 3×3 convolutions, each with norm and ReLU, and five times 2×2 max pooling. The embedding
    is the mean over the positions that are left, of which 32×32 pixels leave one. With width 64
    on 32×32×3 images and ten classes it has 9,231,114 weights.

    Args:
        image_shape: (C, H, W) of the images it will see; 28×28 grey ones are padded to 32×32.
        num_classes: Outputs of the classifier, at least 1.
        network_width: Channels of the first convolution.
        norm: One of `norms`.

    Raises:
        RecipeError: A size is not positive, or the image is too small.
    """

    norms: ClassVar[tuple[str, ...]] = ("instance", "batch")

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        network_width: int = 64,
        norm: str = "instance",
    ) -> None:
        super().__init__()
        check_sizes("VGG11", image_shape, num_classes, network_width)
        channels, height, width = image_shape
        padding = 1
        if padded_as_mnist(image_shape):
            padding, height, width = 3, 32, 32
        if min(height, width) >> len(STAGES) < 1:
            raise too_small("VGG11", height, width, 1 << len(STAGES))
        layers: list[nn.Module] = []
        for stage in STAGES:
            for multiple in stage:
                out_channels = multiple * network_width
                layers += [
                    nn.Conv2d(channels, out_channels, kernel_size=3, padding=padding),
                    norm_layer(norm, out_channels, height, width),
                    nn.ReLU(),
                ]
                channels, padding = out_channels, 1
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Embed normalised float images N×C×H×W as N×(8·network_width)."""
        activations: Tensor = self.layers(images)
        return activations.mean(dim=(2, 3))

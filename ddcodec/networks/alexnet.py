"""AlexNet, as the field trains it on small images."""

import torch
from torch import Tensor, nn

from ddcodec.networks.classifier import Classifier, check_sizes, padded_as_mnist, too_small

POOLINGS = 3


class AlexNet(Classifier):
    """The small AlexNet of Zhao et al., ICLR 2021, after Krizhevsky et al., 2012.

    Five convolutions without norm, three times 2×2 max pooling and one linear layer over all that
    is left. With width 128 on 32×32×3 images and ten classes it has 1,872,202 weights.

    Args:
        image_shape: (C, H, W) of the images it will see; 28×28 grey ones are padded to 32×32.
        num_classes: Outputs of the classifier, at least 1.
        network_width: Channels of the first convolution; the others have 3/2 or twice as many.

    Raises:
        RecipeError: A size is not positive, or the image is too small.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], num_classes: int, network_width: int = 128
    ) -> None:
        super().__init__()
        check_sizes("AlexNet", image_shape, num_classes, network_width)
        channels, height, width = image_shape
        padding = 2
        if padded_as_mnist(image_shape):
            padding, height, width = 4, 32, 32
        if min(height, width) >> POOLINGS < 1:
            raise too_small("AlexNet", height, width, 1 << POOLINGS)
        wider, widest = 3 * network_width // 2, 2 * network_width
        self.layers = nn.Sequential(
            nn.Conv2d(channels, network_width, kernel_size=5, padding=padding),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(network_width, wider, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(wider, widest, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(widest, wider, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(wider, wider, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        positions = (height >> POOLINGS) * (width >> POOLINGS)
        self.classifier = nn.Linear(wider * positions, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Embed normalised float images N×C×H×W: all activations of the last layer, flattened."""
        return torch.flatten(self.layers(images), 1)

"""ResNet18 for small images: a 3×3 stem and no pooling before the blocks."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ddcodec.networks.classifier import Classifier, check_sizes, too_small
from ddcodec.networks.norms import norm_layer

BLOCKS_PER_STAGE = 2
STAGES = 4
SMALLEST_SIDE = 9  # normalising the one pixel that 8 leave to the last stage would erase it


class ResNet18(Classifier):
    """ResNet18 (He et al., CVPR 2016) in the form for CIFAR, as in Zhao et al., ICLR 2021.

    Four stages of two blocks, the last three at half the size of the one before; the embedding is
    the mean over all positions, so any size of image is taken. Distillation normalises by
    instance, where the original does by batch. With width 64 on 32×32×3 images and ten classes it
    has 11,173,962 weights.

    Args:
        image_shape: (C, H, W) of the images it will see.
        num_classes: Outputs of the classifier, at least 1.
        network_width: Channels of the first stage; each later one has twice as many.
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
        check_sizes("ResNet18", image_shape, num_classes, network_width)
        channels, height, width = image_shape
        if min(height, width) < SMALLEST_SIDE:
            raise too_small("ResNet18", height, width, SMALLEST_SIDE)
        self.stem = nn.Sequential(
            nn.Conv2d(channels, network_width, kernel_size=3, padding=1, bias=False),
            norm_layer(norm, network_width, height, width),
            nn.ReLU(),
        )
        blocks = []
        in_channels = network_width
        for stage in range(STAGES):
            out_channels = network_width << stage
            for block in range(BLOCKS_PER_STAGE):
                stride = 2 if stage and not block else 1
                height, width = -(-height // stride), -(-width // stride)
                blocks.append(_Block(in_channels, (out_channels, height, width), stride, norm))
                in_channels = out_channels
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(in_channels, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Embed normalised float images N×C×H×W as N×(8·network_width)."""
        activations: Tensor = self.blocks(self.stem(images))
        return activations.mean(dim=(2, 3))


class _Block(nn.Module):
    """Two convolutions beside a shortcut; `out_shape` is (C, H, W)."""

    def __init__(
        self, in_channels: int, out_shape: tuple[int, int, int], stride: int, norm: str
    ) -> None:
        super().__init__()
        channels = out_shape[0]
        self.residual = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False),
            norm_layer(norm, *out_shape),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            norm_layer(norm, *out_shape),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False),
                norm_layer(norm, *out_shape),
            )

    def forward(self, activations: Tensor) -> Tensor:
        return F.relu(self.residual(activations) + self.shortcut(activations))

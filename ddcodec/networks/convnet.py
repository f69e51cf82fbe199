"""ConvNetD{depth}: the field's standard student, repeated convolution–norm–ReLU–pooling blocks."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddcodec.errors import RecipeError
from ddcodec.networks.classifier import Classifier

MAX_DEPTH = 6
WIDEST_PRODUCT = 256  # beyond it a matrix product costs more than it saves


def default_depth(height: int, width: int) -> int:
    """Choose the number of blocks for an image size.

    Gives 3 for 28×28 and 32×32, 4 for 64×64 and 5 for 128×128, the depths of the literature
    (Zhao et al., "Dataset Condensation with Gradient Matching", ICLR 2021, and its successors).

    Args:
        height: Image height in pixels, at least 1.
        width: Image width in pixels, at least 1.

    Returns:
        A depth in 1…6 that 2×2 pooling can follow down to at least one pixel, if any can.
    """
    depth = round(math.log2(min(height, width))) - 2
    return max(1, min(MAX_DEPTH, depth))


class ConvNet(Classifier):
    """A ConvNet of `depth` blocks and one linear classifier.

    A block is a 3×3 convolution with bias, instance normalisation with learned scale and shift
    (Ulyanov et al., 2016; written as one group per channel), ReLU and 2×2 average pooling with
    floor. With width 128 and depth 3 on 32×32×3 images it has 320,010 weights, as in Zhao et
    al., ICLR 2021.

    Args:
        image_shape: (C, H, W) of the images it will see.
        num_classes: Outputs of the classifier, at least 1.
        network_width: Channels of every convolution.
        depth: Number of blocks, or None for `default_depth`.

    Raises:
        RecipeError: A size is not positive, or the depth would pool the image away.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        network_width: int = 128,
        depth: int | None = None,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape
        if min(channels, height, width, num_classes, network_width) < 1:
            raise RecipeError(
                f"A ConvNet needs positive sizes, not images of {image_shape}, {num_classes} "
                f"classes and width {network_width}."
            )
        self.depth = default_depth(height, width) if depth is None else depth
        if self.depth < 1 or min(height, width) >> self.depth < 1:
            raise RecipeError(
                f"A ConvNet of depth {self.depth} halves the image that many times and cannot "
                f"take {height} by {width} pixels."
            )
        blocks = []
        for _ in range(self.depth):
            blocks.append(_block(channels, network_width))
            channels, height, width = network_width, height // 2, width // 2
        self.blocks = nn.Sequential(*blocks)
        self.feature_size = channels * height * width
        self.classifier = nn.Linear(self.feature_size, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Embed images.

        Args:
            images: Normalised float N×C×H×W.

        Returns:
            The flattened activations before the classifier, N×feature_size.
        """
        activations: Tensor = self.blocks(images)
        return torch.flatten(activations, 1)


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
        nn.GroupNorm(out_channels, out_channels, affine=True),
        nn.ReLU(),
        HalvingPool(),
    )


class HalvingPool(nn.Module):
    """2×2 average pooling with floor.

    On a CPU torch's own walks over single values. A pair of rows lies in memory as one line, so a
    matrix product does the same, forwards and backwards; benchmarks/distill.py measures what it
    gains.
    """

    def forward(self, activations: Tensor) -> Tensor:
        """Halve height and width of N×C×H×W."""
        *leading, height, width = activations.shape
        plain = activations.device.type != "cpu" or torch.compiler.is_compiling()
        if plain or width > WIDEST_PRODUCT:
            return F.avg_pool2d(activations, 2)
        rows, columns = height // 2, width // 2
        even = activations[..., : 2 * rows, : 2 * columns]
        pairs = even.reshape(*leading, rows, 4 * columns)
        averages: Tensor = pairs @ _pooling_matrix(columns).to(pairs)
        return averages


@lru_cache(maxsize=16)
def _pooling_matrix(outputs: int) -> Tensor:
    """Return what makes a line of averages from two rows, one after the other."""
    row = torch.eye(outputs).repeat_interleave(2, 0) / 4
    return torch.cat([row, row])

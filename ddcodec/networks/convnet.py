"""ConvNetD{depth}: the field's standard student, repeated convolution–norm–ReLU–pooling blocks."""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddcodec.errors import RecipeError
from ddcodec.networks.classifier import Classifier, check_sizes, padded_as_mnist
from ddcodec.networks.norms import norm_layer

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

    A block is a 3×3 convolution with bias, normalisation with learned scale and shift, ReLU and
    2×2 average pooling with floor. With width 128 and depth 3 on 32×32×3 images it has 320,010
    weights, as in Zhao et al., ICLR 2021.

    Halved, it sees images at half their side, and is of the size that suits those: a quarter of
    the work, for images whose bits leave little at full size anyway.

    Args:
        image_shape: (C, H, W) of the images it will see; 28×28 grey ones are padded to 32×32.
        num_classes: Outputs of the classifier, at least 1.
        network_width: Channels of every convolution.
        depth: Number of blocks, or None for `default_depth`.
        norm: One of `norms`.
        halved: See every image at half its side.

    Raises:
        RecipeError: A size is not positive, or the depth would pool the image away.
    """

    norms: ClassVar[tuple[str, ...]] = ("instance", "batch", "layer", "group", "none")
    takes_depth: ClassVar[bool] = True
    takes_halved: ClassVar[bool] = True

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        network_width: int = 128,
        depth: int | None = None,
        norm: str = "instance",
        halved: bool = False,
    ) -> None:
        super().__init__()
        if halved:
            image_shape = (image_shape[0], image_shape[1] // 2, image_shape[2] // 2)
        check_sizes("A ConvNet", image_shape, num_classes, network_width)
        channels, height, width = image_shape
        self.halving = HalvingPool() if halved else nn.Identity()
        padding = 1
        if padded_as_mnist(image_shape):
            padding, height, width = 3, 32, 32
        self.depth = default_depth(height, width) if depth is None else depth
        if self.depth < 1 or min(height, width) >> self.depth < 1:
            raise RecipeError(
                f"A ConvNet of depth {self.depth} halves the image that many times and cannot "
                f"take {height} by {width} pixels."
            )
        blocks = []
        for _ in range(self.depth):
            out_shape = (network_width, height, width)
            blocks.append(_block(channels, out_shape, padding, norm))
            channels, height, width = network_width, height // 2, width // 2
            padding = 1
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
        activations: Tensor = self.blocks(self.halving(images))
        return torch.flatten(activations, 1)


def _block(
    in_channels: int, out_shape: tuple[int, int, int], padding: int, norm: str
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_shape[0], kernel_size=3, padding=padding),
        norm_layer(norm, *out_shape),
        nn.ReLU(),
        HalvingPool(),
    )


class HalvingPool(nn.Module):
    """2×2 average pooling with floor.

    Torch's own walks over single values. A pair of rows lies in memory as one line, so a matrix
    product does the same, forwards and backwards; benchmarks/speed/distill.py measures what it
    gains on a CPU. On an H200 a ConvNet's gradients took 2.8 ms instead of 3.3 in float32, and
    second derivatives 10.3 instead of 11.9, but 3.8 instead of 3.4 where a GPU computes in
    bfloat16.
    """

    def forward(self, activations: Tensor) -> Tensor:
        """Halve height and width of N×C×H×W."""
        *leading, height, width = activations.shape
        device = activations.device.type
        plain = device != "cpu" and (device != "cuda" or torch.is_autocast_enabled(device))
        if plain or torch.compiler.is_compiling() or width > WIDEST_PRODUCT:
            return F.avg_pool2d(activations, 2)
        rows, columns = height // 2, width // 2
        even = activations[..., : 2 * rows, : 2 * columns]
        pairs = even.reshape(*leading, rows, 4 * columns)
        averages: Tensor = pairs @ _pooling_matrix(columns, pairs.device, pairs.dtype)
        return averages


def _pooling_matrix(outputs: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return what makes a line of averages from two rows, one after the other.

    Made anew every time: one made while functions are transformed belongs to that transformation.
    """
    row = torch.eye(outputs, device=device, dtype=dtype).repeat_interleave(2, 0) / 4
    return torch.cat([row, row])

"""A small vision transformer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddcodec.errors import RecipeError
from ddcodec.networks.classifier import Classifier, check_sizes

DEPTH = 10
HEADS = 8
DROPOUT = 0.1
PATCHES_PER_SIDE = 8


def default_patch(height: int, width: int) -> int:
    """Return the side of a patch in pixels: 16 at 128×128, 8 at 64×64, 4 at 32×32 and 28×28."""
    return max(1, int(min(height, width) / PATCHES_PER_SIDE + 0.5))


class ViT(Classifier):
    """A vision transformer (Dosovitskiy et al., ICLR 2021) of depth 10 with 8 heads.

    Patches of an eighth of the smaller side and a class token, learned positions, blocks of
    attention and of a perceptron as wide as the tokens, each after layer normalisation, dropout
    0.1: the settings that dataset distillation uses across architectures (patch 16 at 128×128,
    width 512; Cazenavette et al., CVPR 2023). Images are padded with zeros to whole patches.

    Args:
        image_shape: (C, H, W) of the images it will see.
        num_classes: Outputs of the classifier, at least 1.
        network_width: Length of a token, a multiple of 8.

    Raises:
        RecipeError: A size is not positive, or the width is no multiple of 8.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], num_classes: int, network_width: int = 512
    ) -> None:
        super().__init__()
        check_sizes("ViT", image_shape, num_classes, network_width)
        if network_width % HEADS:
            raise RecipeError(
                f"ViT has {HEADS} heads and cannot divide a width of {network_width}."
            )
        channels, height, width = image_shape
        self.patch = patch = default_patch(height, width)
        self.padding = (0, -width % patch, 0, -height % patch)
        patches = -(-height // patch) * -(-width // patch)
        self.embed = nn.Conv2d(channels, network_width, kernel_size=patch, stride=patch)
        self.class_token = nn.Parameter(torch.randn(1, 1, network_width))
        self.positions = nn.Parameter(torch.randn(1, patches + 1, network_width))
        self.dropout = nn.Dropout(DROPOUT)
        self.blocks = nn.Sequential(*(_Block(network_width) for _ in range(DEPTH)))
        self.norm = nn.LayerNorm(network_width)
        self.classifier = nn.Linear(network_width, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Embed normalised float images N×C×H×W as the class tokens, N×network_width."""
        patches = self.embed(F.pad(images, self.padding)).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), patches], dim=1)
        tokens = self.blocks(self.dropout(tokens + self.positions))
        first: Tensor = self.norm(tokens[:, 0])
        return first


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width), _Attention(width))
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(width, width),
            nn.Dropout(DROPOUT),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(tokens)
        result: Tensor = tokens + self.perceptron(tokens)
        return result


class _Attention(nn.Module):
    """Self-attention, written out: fused kernels may add up in another order at every call."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_all = nn.Linear(width, 3 * width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Dropout(DROPOUT))

    def forward(self, tokens: Tensor) -> Tensor:
        N, T, D = tokens.shape
        heads = self.to_all(tokens).view(N, T, 3, HEADS, D // HEADS).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        weights = (query @ key.transpose(-1, -2) * (D // HEADS) ** -0.5).softmax(dim=-1)
        mixed: Tensor = self.to_out((weights @ value).transpose(1, 2).reshape(N, T, D))
        return mixed

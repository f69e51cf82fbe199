"""Geometric and colour jitter with parameters of each image's own."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_SCALE = 1.2
MAX_ASPECT = 1.05
MAX_ROTATION_DEGREES = 15.0
MAX_SHIFT = 0.125  # of the height and of the width
SATURATION = 0.4
CONTRAST = 0.28  # of the logarithm
BRIGHTNESS = 0.16  # deviations of the dataset's pixels
TINT = 0.08  # likewise, each channel by itself


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror, move, turn, scale and colour every image by itself.

    DSA draws one operation for a batch; here every image goes through all of them, mildly. What
    comes in from outside an image is the image mirrored at its edge.

    Args:
        images: Normalised float N×C×H×W.
        generator: Source of all randomness; lives on the CPU.

    Returns:
        Images of the same shape.
    """
    device = images.device
    moved = _moved(images, _uniform(generator, len(images), 6).to(device))
    return _coloured(moved, _uniform(generator, len(images), 3 + images.shape[1]).to(device))


def _uniform(generator: torch.Generator, rows: int, columns: int) -> Tensor:
    """Draw numbers in [−1, 1)."""
    return 2 * torch.rand(rows, columns, generator=generator) - 1


def _moved(images: Tensor, draws: Tensor) -> Tensor:
    mirrored, scale, aspect, angle, *shift = draws.unbind(1)
    sign = torch.where(mirrored < 0, -1.0, 1.0)
    stretch = torch.exp(math.log(MAX_ASPECT) * aspect)
    wide = torch.exp(math.log(MAX_SCALE) * scale) * stretch
    high = wide / stretch**2
    angle = angle * math.radians(MAX_ROTATION_DEGREES)
    sine, cosine = angle.sin(), angle.cos()
    across = torch.stack([sign * cosine / wide, sine / wide, 2 * MAX_SHIFT * shift[0]], dim=1)
    down = torch.stack([-sign * sine / high, cosine / high, 2 * MAX_SHIFT * shift[1]], dim=1)
    theta = torch.stack([across, down], dim=1)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _coloured(images: Tensor, draws: Tensor) -> Tensor:
    saturation, contrast, brightness = draws[:, :3, None, None, None].unbind(1)
    tint = draws[:, 3:, None, None]
    grey = images.mean(dim=1, keepdim=True)
    images = (images - grey) * (1 + SATURATION * saturation) + grey
    level = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - level) * torch.exp(CONTRAST * contrast) + level
    return images + BRIGHTNESS * brightness + TINT * tint

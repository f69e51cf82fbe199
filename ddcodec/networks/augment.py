"""Differentiable siamese augmentation (DSA), batched, on normalised images.

Strategy `color_crop_cutout_flip_scale_rotate` of Zhao & Bilen, "Dataset Condensation with
Differentiable Siamese Augmentation" (ICML 2021), section 3 and its table of parameters. A draw is
made of uniform numbers only and knows neither sizes nor pixels, so one draw can be applied to
several batches: that is what lets real and synthetic images see the same augmentation.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ddcodec.errors import DataError

FLIP_PROBABILITY = 0.5
MAX_SCALE = 1.2
MAX_ROTATION_DEGREES = 15.0
CROP_PADDING = 0.125  # of the height and of the width
CUTOUT_SIDE = 0.5  # of the height and of the width
BRIGHTNESS = 1.0
SATURATION = 2.0
CONTRAST = 0.5

UNIFORMS = 3  # the colour operation needs the most: brightness, saturation, contrast


@dataclass(frozen=True)
class AugmentationDraw:
    """One drawn augmentation.

    Attributes:
        operation: A key of `OPERATIONS`.
        uniforms: float32 in [0, 1), shape B×3 for parameters per image, or 1×3 for one set shared
            by every image it is applied to.
    """

    operation: str
    uniforms: Tensor


def draw(
    generator: torch.Generator,
    batch_size: int,
    siamese: bool,
    operations: Sequence[str] | None = None,
) -> AugmentationDraw:
    """Draw one of some operations, each as probable as any other, and its parameters.

    Args:
        generator: Source of all randomness; lives on the CPU.
        batch_size: Images the draw is for; ignored when siamese.
        siamese: Share one parameter set over the whole batch, and over any other batch.
        operations: Keys of `OPERATIONS`; None for all six.

    Returns:
        The draw, on the CPU; `apply` moves it to the images.
    """
    names = list(OPERATIONS if operations is None else operations)
    index = int(torch.randint(len(names), (1,), generator=generator))
    rows = 1 if siamese else batch_size
    return AugmentationDraw(names[index], torch.rand(rows, UNIFORMS, generator=generator))


def apply(images: Tensor, augmentation: AugmentationDraw) -> Tensor:
    """Augment a batch.

    Args:
        images: float N×C×H×W, normalised so that 0 is the dataset mean, which is what pixels
            from outside the image become.
        augmentation: Drawn siamese, or for exactly N images.

    Returns:
        Images of the same shape and dtype, differentiable with respect to the input.

    Raises:
        DataError: The images are not N×C×H×W or the draw is for another number of them.
    """
    if images.ndim != 4:
        raise DataError(f"Augmentation needs images (N, C, H, W), not shape {tuple(images.shape)}.")
    rows = augmentation.uniforms.shape[0]
    if rows not in (1, images.shape[0]):
        raise DataError(f"An augmentation drawn for {rows} images got {images.shape[0]}.")
    uniforms = augmentation.uniforms.to(images.device, images.dtype)
    return OPERATIONS[augmentation.operation](images, uniforms)


def _color(images: Tensor, uniforms: Tensor) -> Tensor:
    brightness, saturation, contrast = uniforms[:, :, None, None, None].unbind(1)
    images = images + (brightness - 0.5) * BRIGHTNESS
    grey = images.mean(dim=1, keepdim=True)
    images = (images - grey) * (saturation * SATURATION) + grey if images.shape[1] > 1 else images
    level = images.mean(dim=(1, 2, 3), keepdim=True)
    return (images - level) * (contrast + CONTRAST) + level


def _crop(images: Tensor, uniforms: Tensor) -> Tensor:
    N, C, H, W = images.shape
    margin_y, margin_x = int(H * CROP_PADDING + 0.5), int(W * CROP_PADDING + 0.5)
    padded = F.pad(images, (margin_x, margin_x, margin_y, margin_y))
    top = (uniforms[:, 0] * (2 * margin_y + 1)).long()
    left = (uniforms[:, 1] * (2 * margin_x + 1)).long()
    if len(top) == 1:
        y, x = int(top), int(left)
        return padded[:, :, y : y + H, x : x + W]
    device = images.device
    y_index = (top[:, None] + torch.arange(H, device=device))[:, None, :, None]
    x_index = (left[:, None] + torch.arange(W, device=device))[:, None, None, :]
    n_index = torch.arange(N, device=device)[:, None, None, None]
    c_index = torch.arange(C, device=device)[None, :, None, None]
    return padded[n_index, c_index, y_index, x_index]


def _cutout(images: Tensor, uniforms: Tensor) -> Tensor:
    H, W = images.shape[-2:]
    inside_y = _cut_span(H, uniforms[:, 0])[:, None, :, None]
    inside_x = _cut_span(W, uniforms[:, 1])[:, None, None, :]
    return images.masked_fill(inside_y & inside_x, 0.0)


def _cut_span(length: int, uniform: Tensor) -> Tensor:
    """Mark, per row of `uniform`, the positions one axis of the cut covers; it may stick out."""
    side = int(length * CUTOUT_SIDE + 0.5)
    centre = (uniform * (length + 1 - side % 2)).long()
    start = (centre - side // 2)[:, None]
    position = torch.arange(length, device=uniform.device)
    return (position >= start) & (position < start + side)


def _flip(images: Tensor, uniforms: Tensor) -> Tensor:
    flipped = (uniforms[:, 0] < FLIP_PROBABILITY)[:, None, None, None]
    return torch.where(flipped, images.flip(3), images)


def _scale(images: Tensor, uniforms: Tensor) -> Tensor:
    # The grid is scaled, so a factor above 1 shrinks the content and shows the mean around it.
    factors = uniforms[:, :2] * (MAX_SCALE - 1 / MAX_SCALE) + 1 / MAX_SCALE
    zero = torch.zeros_like(factors[:, 0])
    return _warp(images, (factors[:, 0], zero, zero, factors[:, 1]))


def _rotate(images: Tensor, uniforms: Tensor) -> Tensor:
    angle = (uniforms[:, 0] - 0.5) * (2 * MAX_ROTATION_DEGREES * math.pi / 180)
    return _warp(images, (angle.cos(), -angle.sin(), angle.sin(), angle.cos()))


def _warp(images: Tensor, matrix: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """Resample bilinearly through the 2×2 `matrix` (xx, xy, yx, yy), per image or shared."""
    xx, xy, yx, yy = matrix
    zero = torch.zeros_like(xx)
    theta = torch.stack([xx, xy, zero, yx, yy, zero], dim=1).reshape(-1, 2, 3)
    theta = theta.expand(images.shape[0], 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": _color,
    "crop": _crop,
    "cutout": _cutout,
    "flip": _flip,
    "scale": _scale,
    "rotate": _rotate,
}

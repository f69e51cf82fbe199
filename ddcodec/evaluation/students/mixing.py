"""CutMix and mixup: a batch is mixed with itself in another order, its targets likewise."""

import torch
from torch import Tensor


def mix(
    images: Tensor, targets: Tensor, generator: torch.Generator, cutmix: float, mixup: float
) -> tuple[Tensor, Tensor]:
    """Mix a batch by at most one of the two, or leave it as it is.

    CutMix (Yun et al., ICCV 2019, section 3.1) puts one rectangle of other images into each;
    mixup (Zhang et al., ICLR 2018, equation 1) adds them up. Shares are uniform in (0, 1), the
    Beta(1, 1) of both papers.

    Args:
        images: float N×C×H×W.
        targets: Probabilities, float N×classes.
        generator: Source of all randomness; lives on the CPU.
        cutmix: Probability of CutMix for a batch.
        mixup: Probability of mixup for a batch; the two sum to at most 1.

    Returns:
        Images and targets, of the same shapes.
    """
    choice, share, *centre = torch.rand(4, generator=generator).tolist()
    partners = torch.randperm(len(images), generator=generator).to(images.device)
    if choice >= cutmix + mixup:
        return images, targets
    if choice < cutmix:
        images, share = _cut(images, images[partners], share, centre)
    else:
        images = share * images + (1 - share) * images[partners]
    return images, share * targets + (1 - share) * targets[partners]


def mix_singly(
    images: Tensor, targets: Tensor, generator: torch.Generator, cutmix: float, mixup: float
) -> tuple[Tensor, Tensor]:
    """Mix a batch like `mix`, but choose, and draw the share and the rectangle, for each image.

    Args and returns are those of `mix`; probabilities are those of an image.
    """
    N, device = len(images), images.device
    choice, share, *centre = torch.rand(4, N, generator=generator).to(device)
    partners = torch.randperm(N, generator=generator).to(device)
    inside = _rectangles(images, share, centre)[:, None]
    cut = (choice < cutmix)[:, None, None, None]
    blended = (choice >= cutmix) & (choice < cutmix + mixup)
    kept = torch.where(cut, (~inside).to(images.dtype), 1.0)
    kept = torch.where(blended[:, None, None, None], share[:, None, None, None], kept)
    left = kept.mean((1, 2, 3))[:, None]
    return (
        kept * images + (1 - kept) * images[partners],
        left * targets + (1 - left) * targets[partners],
    )


def _rectangles(images: Tensor, share: Tensor, centre: list[Tensor]) -> Tensor:
    """Return, bool N×H×W, a rectangle of 1 − share of the area for each image."""
    spans = []
    for size, place in zip(images.shape[-2:], centre, strict=True):
        middle, side = (place * size).long(), (size * (1 - share) ** 0.5).long()
        start = (middle - side // 2)[:, None]
        positions = torch.arange(size, device=images.device)
        spans.append((positions >= start) & (positions < start + side[:, None]))
    rows, columns = spans
    return rows[:, :, None] & columns[:, None, :]


def _cut(images: Tensor, others: Tensor, share: float, centre: list[float]) -> tuple[Tensor, float]:
    """Put a rectangle of 1 − share of the area from others; return the share that is left."""
    inside = images.new_ones(images.shape[-2:], dtype=torch.bool)
    for axis, (size, place) in enumerate(zip(images.shape[-2:], centre, strict=True)):
        middle, side = int(place * size), int(size * (1 - share) ** 0.5)
        positions = torch.arange(size, device=images.device)
        span = (positions >= middle - side // 2) & (positions < middle + side - side // 2)
        inside &= span[:, None] if axis == 0 else span[None, :]
    left = 1 - float(inside.sum()) / inside.numel()
    return torch.where(inside, others, images), left

"""What labelers are trained on: real images shifted, mirrored and cut together, with targets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def shifted(images: Tensor, reach: int, stream: torch.Generator) -> Tensor:
    """Return images mirrored left to right half the time and shifted by up to `reach` pixels.

    What moves in from outside is the reflection of the border. Shifts are drawn for a few parts of
    the batch, not for each image: it is faster, and the next batch draws others.

    Args:
        images: float N × C × H × W.
        reach: in pixels.
        stream: of all randomness, on the CPU.
    """
    flips = torch.rand(len(images), generator=stream) < 0.5
    images = torch.where(flips.to(images.device)[:, None, None, None], images.flip(-1), images)
    if not reach:
        return images
    height, width = images.shape[2:]
    padded = F.pad(images, (reach, reach, reach, reach), mode="reflect")
    parts = []
    for part in padded.chunk(4):
        top, left = torch.randint(2 * reach + 1, (2,), generator=stream).tolist()
        parts.append(part[:, :, top : top + height, left : left + width])
    return torch.cat(parts)


def cut_together(images: Tensor, targets: Tensor, stream: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paste a rectangle of another image into each, and mix targets by area.

    CutMix of Yun et al. (ICCV 2019), section 3.1, with a Beta(1, 1) area and one rectangle for the
    batch, kept inside the images.

    Args:
        images: float N × C × H × W.
        targets: N × classes.
        stream: of all randomness, on the CPU.
    """
    height, width = images.shape[2:]
    side = float(torch.rand((), generator=stream)) ** 0.5
    rows, columns = round(side * height), round(side * width)
    top = int(torch.randint(height - rows + 1, (), generator=stream))
    left = int(torch.randint(width - columns + 1, (), generator=stream))
    partner = torch.randperm(len(images), generator=stream).to(images.device)
    window = (slice(None), slice(None), slice(top, top + rows), slice(left, left + columns))
    mixed = images.clone()
    mixed[window] = images[partner][window]
    share = rows * columns / (height * width)
    return mixed, (1 - share) * targets + share * targets[partner]

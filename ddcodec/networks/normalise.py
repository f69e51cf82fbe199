"""From uint8 pixels to what networks see."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ddcodec.errors import DataError


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Map pixels to zero mean and unit deviation per channel.

    Args:
        images: uint8 N×C×H×W.
        mean: Per channel, of pixels scaled to [0, 1].
        std: Per channel, of pixels scaled to [0, 1], positive.

    Returns:
        float32 N×C×H×W on the images' device: (images / 255 − mean) / std.

    Raises:
        DataError: The images are not uint8 N×C×H×W, or mean and std do not fit their channels.
    """
    if images.ndim != 4 or images.dtype != torch.uint8:
        raise DataError(
            f"Images must be uint8 of shape (N, C, H, W), not {images.dtype} {tuple(images.shape)}."
        )
    channels = images.shape[1]
    if len(mean) != channels or len(std) != channels:
        raise DataError(
            f"Normalisation has {len(mean)} means and {len(std)} deviations for {channels} "
            "channels."
        )
    if min(std) <= 0:
        raise DataError(f"Normalisation needs positive deviations, not {tuple(std)}.")
    scale = torch.tensor([1 / (255 * s) for s in std], device=images.device)
    shift = torch.tensor([m / s for m, s in zip(mean, std, strict=True)], device=images.device)
    return images.float() * scale[:, None, None] - shift[:, None, None]


class Renormalisation:
    """Show images normalised in one way to networks that were trained on another.

    Args:
        old: Mean and deviation per channel that the images have.
        new: Those that the networks know.
    """

    def __init__(
        self,
        old: tuple[Sequence[float], Sequence[float]],
        new: tuple[Sequence[float], Sequence[float]],
    ) -> None:
        old_mean, old_std, new_mean, new_std = (
            torch.tensor(values, dtype=torch.float64)[:, None, None] for values in (*old, *new)
        )
        self._scale = (old_std / new_std).float()
        self._shift = ((old_mean - new_mean) / new_std).float()

    def __call__(self, images: Tensor) -> Tensor:
        """Map normalised images N×C×H×W, on any device."""
        # Kept there: waiting for them at every batch cannot be recorded (replay.py).
        self._scale = self._scale.to(images.device)
        self._shift = self._shift.to(images.device)
        return images * self._scale + self._shift

"""A distillation loss of one's own: means and deviations of pixels instead of embeddings.

ddc distill glyphs --bpc 500 --loss custom_loss:PixelMoments    (in the folder of this file)
"""

import numpy as np
import torch
from torch import Tensor

from ddcodec.distill.losses import DistillationLoss, LossSettings
from ddcodec.networks import normalise


class PixelMoments(DistillationLoss):
    """Squared distance of the mean and deviation of every pixel, class by class.

    It needs no network and teaches little; it shows all that a loss has to do.
    """

    def __init__(
        self, real_images: np.ndarray, real_labels: np.ndarray, settings: LossSettings
    ) -> None:
        images = normalise(torch.from_numpy(real_images.copy()), settings.mean, settings.std)
        labels = torch.from_numpy(real_labels)
        self._real = {
            label: _moments(images[labels == label]).to(settings.device)
            for label in labels.unique().tolist()
        }

    def __call__(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Compare synthetic images, normalised N×C×H×W, with the real ones of their classes."""
        loss = torch.zeros((), device=images.device)
        for label in labels.unique().tolist():
            difference = _moments(images[labels == label]) - self._real[label]
            loss = loss + difference.square().mean()
        return loss


def _moments(images: Tensor) -> Tensor:
    variance = images.var(dim=0, correction=0)
    return torch.stack([images.mean(dim=0), (variance + 1e-6).sqrt()])

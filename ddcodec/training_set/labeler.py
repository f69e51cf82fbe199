"""The labeler of a file, for whoever trains on it: a callable on any augmented view."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ddcodec.codec.labels.labeler import ExactLabeler
from ddcodec.codec.labels.labeler_network import LabelerNetwork
from ddcodec.codec.parameters import NetworkTensors
from ddcodec.format.labeler_layers import LabelerShape
from ddcodec.networks import precision


class Labeler:
    """What labels a training set: logits for normalised images, augmented and mixed ones, too.

    Args:
        shape: the architecture in the file; kept as an attribute.
        tensors: its weights; likewise.
        mean: per channel, of pixels scaled to [0, 1], that images are normalised with.
        std: likewise.
    """

    def __init__(
        self,
        shape: LabelerShape,
        tensors: NetworkTensors,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        self.shape, self.tensors = shape, tensors
        self._exact = ExactLabeler(shape, tensors)
        self._network = LabelerNetwork(shape, tensors).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # A program may have set another default device and type.
        self._mean, self._std = (
            torch.tensor(part, dtype=torch.float32, device="cpu") for part in (mean, std)
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Return logits, float32 N × classes, of normalised images, float N × C × H × W.

        It computes in bfloat16 where that pays, so that logits may differ a little from machine to
        machine; `exact_logits` does not.
        """
        return torch.cat([logits for logits, _ in self._chunks(images)]).float()

    def stages(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the same logits, and what the labeler sees on the way to them.

        A student that also matches these maps learns more from an image (FitNets, Romero et al.,
        ICLR 2015).

        Returns:
            Logits, and feature maps, float32 N × C' × H' × W', the last of each size below the
            image's: at most three, largest first, none where the labeler does not pool.
        """
        logits, maps = zip(*self._chunks(images), strict=True)
        return torch.cat(logits).float(), tuple(
            torch.cat(same).float() for same in zip(*maps, strict=True)
        )

    def exact_logits(self, images: Tensor) -> Tensor:
        """Return logits, float32 N × classes, of uint8 images: the same on every machine."""
        logits = self._exact.logits(images.cpu().numpy())
        return torch.from_numpy(logits).float() / 4096

    @torch.no_grad()
    def _chunks(self, images: Tensor) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
        """Return logits and feature maps of some images at a time, as the network computes them."""
        device = images.device
        network = self._network.to(device)
        self._mean, self._std = self._mean.to(device), self._std.to(device)
        mean, std = (part[:, None, None] for part in (self._mean, self._std))
        pixels = (255 * (images * std + mean)).contiguous(memory_format=torch.channels_last)
        chunk = precision.micro_batch(images, precision.LOOKED_AT_PIXELS)
        # Whatever autocast is around, labels are those of this machine.
        bfloat16 = precision.bfloat16_pays(device)
        with torch.autocast(device.type, enabled=False), precision.autocast(device, bfloat16):
            return [network.stages(part) for part in torch.split(pixels, chunk)]

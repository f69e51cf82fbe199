"""Derivatives of a network's training loss by its weights: the gradient, and how it changes.

On a GPU both are compiled: memory traffic between layers is what takes the time there, and fused
layers keep activations in bfloat16. On a CPU they are where the work is long enough to pay for it.
Where compiling fails, they are computed as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import grad_and_value, jvp

from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.networks import precision
from ddcodec.networks.compiling import compiled

GRADIENTS_TO_COMPILE = 100_000
"""Gradients of images of 32×32 from which compiling pays on a CPU: it takes half a minute of a core
and saves 0.6 ms an image (docs/results/speed.md)."""

SLOPES_TO_COMPILE = 15_000
"""The same for slopes: one and a half minutes, and 6 ms an image."""

_PIXELS = 32 * 32


def compiling_pays(device: torch.device, images: float, num_pixels: int, least: int) -> bool:
    """Tell whether what networks compute had better be compiled.

    Args:
        device: Where it is computed.
        images: That it is computed for, one batch after the other.
        num_pixels: Of an image.
        least: Images of 32×32 from which it pays on a CPU, such as `GRADIENTS_TO_COMPILE`.
    """
    if device.type == "cuda":
        return True
    return images * num_pixels >= least * _PIXELS and precision.compiler_found()


class LossDerivatives:
    """Derivatives of the mean cross-entropy of a batch by a vector of weights.

    Args:
        network: Whose loss it is.
        bfloat16: Compute the network in bfloat16; weights and derivatives stay float32.
        is_compiled: Compile, one program for every shape of a batch.
    """

    def __init__(self, network: FlatNetwork, bfloat16: bool, is_compiled: bool) -> None:
        self._network = network
        self._dtype = torch.bfloat16 if bfloat16 else torch.float32
        first, second = grad_and_value(self._loss), grad_and_value(self._slope, argnums=(0, 1))
        self._first = compiled(first) if is_compiled else first
        self._second = compiled(second) if is_compiled else second

    def gradient(self, weights: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradient of the loss and the loss.

        Args:
            weights: float32 P.
            images: Normalised float32 N×C×H×W.
            labels: int64 N.

        Returns:
            float32 P and a float32 scalar.
        """
        gradient, loss = self._first(weights, images, labels)
        return gradient, loss

    def slope(
        self, weights: Tensor, direction: Tensor, images: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss's slope along a direction g · v, and the slope's own gradients.

        The slope is computed forwards, by dual numbers, and then differentiated backwards: a third
        less work than differentiating the gradient.

        Args:
            weights: float32 P.
            direction: v, float32 P.
            images: Normalised float32 N×C×H×W.
            labels: int64 N.

        Returns:
            The slope, a float32 scalar; its gradient by the weights, which is the Hessian times v,
            float32 P; and by the images, float32 N×C×H×W.
        """
        (for_weights, for_images), slope = self._second(weights, images, direction, labels)
        return slope, for_weights, for_images

    def _loss(self, weights: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        logits = self._network.logits(weights.to(self._dtype), images.to(self._dtype))
        return F.cross_entropy(logits.float(), labels)

    def _slope(self, weights: Tensor, images: Tensor, direction: Tensor, labels: Tensor) -> Tensor:
        def loss_at(moved: Tensor) -> Tensor:
            return self._loss(moved, images, labels)

        slope: Tensor = jvp(loss_at, (weights,), (direction,))[1]
        return slope

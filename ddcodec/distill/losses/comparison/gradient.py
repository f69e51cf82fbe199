"""Gradient matching: synthetic images push a network's weights where real ones do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets.base import Pixels
from ddcodec.distill.losses.base import (
    DEFAULT_ARCH,
    DEFAULT_NETWORK_WIDTH,
    LossSettings,
    read_options,
)
from ddcodec.distill.losses.real_data import NETWORK, OWN, RealDataLoss
from ddcodec.distill.trained.embedder import chunk_images
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.errors import RecipeError
from ddcodec.kept.state import check_like
from ddcodec.networks import augment, precision

_TINY = 1e-12  # under a root: rows of zeros, behind a dead ReLU, have no direction


@dataclass(frozen=True)
class GradientOptions:
    """Settings of gradient matching alone.

    Attributes:
        inner_steps: Updates of the network on synthetic images between two matchings.
        inner_batch: Synthetic images of such an update, at most.
        learning_rate: Of the updates, plain SGD.
    """

    inner_steps: int = 10
    inner_batch: int = 256
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            RecipeError: A number is negative, or the batch is empty.
        """
        if self.inner_steps < 0 or self.inner_batch < 1 or self.learning_rate < 0:
            raise RecipeError("gm needs inner_steps and learning_rate ≥ 0 and inner_batch ≥ 1.")


class GradientMatching(RealDataLoss):
    """Distance of weight gradients (Zhao et al., "Dataset Condensation", ICLR 2021, equation 10).

    Σ_c Σ_layers Σ_rows 1 − cos(real, synthetic): gradients of the cross-entropy of class c, a row
    being all weights that feed one output of a layer; biases and normalisation are left out, as in
    the authors' code. Real and synthetic images see one siamese augmentation per class and step
    (Zhao & Bilen, ICML 2021, equation 5).

    The two loops of algorithm 1 follow from the step: a round of `steps_per_network` steps, by
    default ten, begins with a fresh network, and before every later step of the round the network
    is trained for `inner_steps` updates on the synthetic images of that step. Its weights are the
    state that a checkpoint has to hold. Where they are missing, as after a jump to the middle of a
    round, the round is repeated with the images at hand: the same for the same images.

    Args:
        real_images: uint8 N×C×H×W.
        real_labels: Integers N, each class of interest at least once.
        settings: See `LossSettings`; with `classes_per_step` a round's network learns only the
            classes of its round.

    Raises:
        DataError: Labels are out of range, or do not match the images in number.
        RecipeError: An option is unknown or out of range, or the architecture is.
    """

    own_steps_per_network = 10

    def __init__(
        self,
        real_images: Pixels,
        real_labels: NDArray[np.integer],
        settings: LossSettings,
    ) -> None:
        self._options = read_options(GradientOptions, settings.options)
        super().__init__(real_images, real_labels, settings)
        self._network = FlatNetwork(
            settings.arch or DEFAULT_ARCH,
            self._image_shape,
            settings.num_classes,
            settings.network_width or DEFAULT_NETWORK_WIDTH,
            self.device,
        )
        self._round, self._position = -1, 0
        self._weights = torch.empty(0)

    def __call__(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Compute the loss of the classes that occur in `labels`; see `DistillationLoss`.

        Raises:
            DataError: The real data have no image of such a class.
        """
        self._go_to(step, images.detach(), labels)
        weights = self._weights.detach().requires_grad_()
        loss = torch.zeros((), device=images.device)
        for k in sorted({int(k) for k in labels.tolist()}):
            draw = self._draw_augmentation(k, step)
            real = augment.apply(self._draw_real(k, step), draw)
            wanted = self._real_gradient(weights, real, k)
            own = augment.apply(images[labels == k], draw)
            (given,) = torch.autograd.grad(self._loss(weights, own, k), weights, create_graph=True)
            loss = loss + self._distance(given, wanted)
        return loss

    def state_dict(self) -> dict[str, Tensor]:
        """Return the round's network and how far it was trained."""
        if self._round < 0:
            return {}
        return {
            "round": torch.tensor(self._round),
            "position": torch.tensor(self._position),
            "weights": self._weights.cpu().clone(),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue with a network from `state_dict`."""
        if not state:
            self._round = -1
            return
        self._round, self._position = int(state["round"]), int(state["position"])
        weights = state["weights"]
        check_like(weights, torch.zeros(self._network.num_weights), "weights")
        self._weights = weights.to(self.device).clone()

    def _go_to(self, step: int, images: Tensor, labels: Tensor) -> None:
        """Bring the network to where the step wants it."""
        number, position = divmod(step, self.steps_per_network)
        if number != self._round or position < self._position:
            self._weights = self._network.initial(self._seed(NETWORK, number))
            self._round, self._position = number, 0
        while self._position < position:
            self._train(images, labels)
            self._position += 1

    def _train(self, images: Tensor, labels: Tensor) -> None:
        stream = self._stream(OWN, self._round, self._position)
        for _ in range(self._options.inner_steps):
            rows = torch.randperm(len(labels), generator=stream)[: self._options.inner_batch]
            batch = images[rows.to(images.device)]
            batch = augment.apply(batch, augment.draw(stream, len(rows), siamese=False))
            weights = self._weights.requires_grad_()
            loss = self._loss(weights, batch, labels[rows.to(labels.device)])
            (gradient,) = torch.autograd.grad(loss, weights)
            self._weights = weights.detach() - self._options.learning_rate * gradient

    def _real_gradient(self, weights: Tensor, real: Tensor, label: int) -> Tensor:
        size = chunk_images(real) if self.device.type == "cpu" else len(real)
        total = torch.zeros_like(weights)
        for chunk in torch.split(real, size):
            (gradient,) = torch.autograd.grad(self._loss(weights, chunk, label), weights)
            total += gradient * (len(chunk) / len(real))
        return total

    def _loss(self, weights: Tensor, images: Tensor, labels: Tensor | int) -> Tensor:
        if isinstance(labels, int):
            labels = torch.full((len(images),), labels)
        with precision.autocast(self.device, bool(self.bfloat16)):
            logits = self._network.logits(weights, images)
        return F.cross_entropy(logits.float(), labels.to(self.device))

    def _distance(self, given: Tensor, wanted: Tensor) -> Tensor:
        pairs = zip(self._network.tensors(given), self._network.tensors(wanted), strict=True)
        distances = [row_distance(a, b) for a, b in pairs if a.ndim > 1]
        return torch.stack(distances).sum()


def row_distance(given: Tensor, wanted: Tensor) -> Tensor:
    """Return Σ_rows 1 − cos of two gradients of one layer, of two dimensions or more."""
    a, b = given.flatten(1), wanted.flatten(1)
    lengths = (a.square().sum(dim=1) * b.square().sum(dim=1) + _TINY**2).sqrt()
    return (1 - (a * b).sum(dim=1) / lengths).sum()

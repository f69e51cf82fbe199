"""What the rate is traded against: likeness to real images, or a distillation loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ddcodec.distill.latents.descent import Distortion, image_curvature
from ddcodec.distill.latents.representation import Parameters, Rendering, Representation
from ddcodec.distill.losses.base import DistillationLoss
from ddcodec.distill.trained.random_streams import random_stream
from ddcodec.format.student_recipe import Hints, StudentRecipe

# Purposes of random streams; those below 100 belong to losses.
_LIKENESS_ORDER, _JOINT_ORDER = 100, 101


class Likeness:
    """Squared error to real images: phase 1, and all there is for `--loss none`.

    Args:
        representation: what is to resemble them.
        targets: N × C × H × W, uint8, the real images in the order of the representation.
        batch_size: images per step.
        seed: of the order.
    """

    def __init__(
        self, representation: Representation, targets: Tensor, batch_size: int, seed: int
    ) -> None:
        self._representation = representation
        self._targets = targets
        self._batch_size = min(batch_size, len(targets))
        self._seed = seed

    def indices_for_step(self, step: int) -> Tensor:
        """Return a part of a random order over all images; steps in a row see different parts."""
        epoch, number = divmod(step, len(self._targets) // self._batch_size)
        stream = random_stream(self._seed, _LIKENESS_ORDER, epoch)
        order = torch.randperm(len(self._targets), generator=stream)
        return order[number * self._batch_size :][: self._batch_size].sort().values

    def __call__(self, rendering: Rendering, step: int) -> Tensor:
        """Return the summed squared error of images in 0 … 1."""
        return self._error(rendering.indices, rendering.images).sum()

    def _error(self, indices: Tensor, images: Tensor) -> Tensor:
        """Return the squared error of each image."""
        targets = self._targets[indices].to(images.device)
        return (images - (targets + 0.5) / 256).square().flatten(1).sum(1)

    def distortion(self, networks: list[Parameters]) -> Distortion:
        """Return the squared error as a function of latents; see `Goal`."""
        representation = self._representation

        def squared_error(indices: Tensor, rows: Tensor) -> Tensor:
            number = int(representation.image_sets[indices[0]])
            return self._error(indices, representation.synthesis.render(networks[number], rows))

        return squared_error

    def curvature(
        self, representation: Representation, networks: list[Parameters], generator: torch.Generator
    ) -> list[Tensor]:
        """Return the curvature of the squared error; see `Goal`."""
        return image_curvature(representation, networks, generator)


class Distillation:
    """A distillation loss on normalised images: phase 2.

    Args:
        loss: any entry of `LOSSES`.
        representation: for the labels of its images.
        mean, std: per channel of images in 0 … 1, as the file states them.
        images_per_class: at most this many images of a class in one step.
        seed: of the choice among them.
    """

    def __init__(
        self,
        loss: DistillationLoss,
        representation: Representation,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        images_per_class: int,
        seed: int,
    ) -> None:
        self._loss = loss
        self._representation = representation
        device = representation.device
        self._mean = torch.tensor(mean, device=device)[:, None, None]
        self._std = torch.tensor(std, device=device)[:, None, None]
        self._images_per_class = images_per_class
        self._seed = seed

    def indices_for_step(self, step: int) -> Tensor:
        """Return images of the classes the loss asks for."""
        indices = self._representation.indices_of(self._loss.classes_for_step(step))
        keys = torch.rand(len(indices), generator=random_stream(self._seed, _JOINT_ORDER, step))
        labels = self._representation.labels[indices]
        order = (labels + keys).argsort()
        labels = labels[order]
        first = torch.searchsorted(labels, labels)
        rank = torch.arange(len(labels)) - first
        return indices[order[rank < self._images_per_class]].sort().values

    def __call__(self, rendering: Rendering, step: int) -> Tensor:
        """Return the loss of the images as a student would see them."""
        images = (256 * rendering.images - 0.5).clamp(0, 255) / 255
        labels = self._representation.labels[rendering.indices].to(images.device)
        return self._loss((images - self._mean) / self._std, labels, step)

    def state(self) -> dict[str, Any]:
        """Return what the next step depends on beyond the images."""
        own = [parameter.detach() for parameter in self._loss.parameters()]
        return {"loss": self._loss.state_dict(), "parameters": own}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was called."""
        self._loss.load_state_dict(state["loss"])
        with torch.no_grad():
            for parameter, value in zip(self._loss.parameters(), state["parameters"], strict=True):
                parameter.copy_(value)

    @property
    def parameters(self) -> Sequence[Tensor]:
        """What the loss wants to have optimised along with the images."""
        return self._loss.parameters()

    @property
    def sees_all_images(self) -> bool:
        """Whether every step takes all images."""
        return bool(getattr(self._loss, "sees_all_images", False))

    @property
    def is_shared_by_ranks(self) -> bool:
        """Whether several processes share the work of the loss."""
        return bool(getattr(self._loss, "shared_by_ranks", False))

    @property
    def student_rate(self) -> float | None:
        """The learning rate that the loss has learned, or advises, for the student, if any."""
        rate = getattr(self._loss, "student_rate", None)
        return None if rate is None else float(rate)


def student_hints(utility: Distillation | None, hints: Hints = ()) -> Hints:
    """Return what a student should know, with the learning rate if the loss has one."""
    rate = None if utility is None else utility.student_rate
    if rate is None:
        return hints
    return replace(StudentRecipe.from_hints(hints), sgd_rate=rate).to_hints()

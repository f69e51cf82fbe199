"""Trajectory matching: a student on synthetic images ends where an expert on real ones does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets.source import user_path
from ddcodec.distill.experts import Experts
from ddcodec.distill.losses.base import LossSettings, read_options
from ddcodec.distill.losses.real_data import OWN, RealDataLoss
from ddcodec.errors import RecipeError
from ddcodec.networks import augment, precision
from ddcodec.networks.normalise import Renormalisation

_CHOICE, _BATCHES, _VIEWS, _DIFFERENTIATED = range(4)


@dataclass(frozen=True)
class TrajectoryOptions:
    """Settings of trajectory matching alone.

    Attributes:
        student_steps: Updates of the student on synthetic images.
        expert_epochs: Epochs of the expert that they are to stand for.
        min_start_epoch: Earliest epoch of the expert from which a student starts.
        max_start_epoch: The epoch before which it starts.
        student_batch: Synthetic images of an update, at most.
        student_rate: Learning rate of the student at first; it is learned.
        differentiated_steps: Updates of the student whose batches receive gradients, drawn at
            random; all of them if there are no more.
    """

    student_steps: int = 40
    expert_epochs: int = 2
    min_start_epoch: int = 0
    max_start_epoch: int = 20
    student_batch: int = 256
    student_rate: float = 0.01
    differentiated_steps: int = 10

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            RecipeError: A count is below 1, the range of epochs is empty, or the rate not positive.
        """
        counts = ("student_steps", "expert_epochs", "student_batch", "differentiated_steps")
        for name in counts:
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 <= self.min_start_epoch < self.max_start_epoch:
            raise RecipeError(
                f"A student cannot start at epochs {self.min_start_epoch} to below "
                f"{self.max_start_epoch}; let min_start_epoch be less than max_start_epoch."
            )
        if self.student_rate <= 0:
            raise RecipeError(f"student_rate must be positive, not {self.student_rate}.")


@dataclass(frozen=True)
class _Segment:
    """A stretch of an expert's way, and what a student did on it.

    Attributes:
        start, target: float32 P, the expert's weights at both ends.
        batches: Rows of every student update.
    """

    start: Tensor
    target: Tensor
    batches: list[Tensor]


class TrajectoryMatching(RealDataLoss):
    """Distance of a student's last weights to an expert's (Cazenavette et al., CVPR 2022).

    ‖θ̂ − θ*‖² / ‖θ − θ*‖² (their equation 2): a student starts at the weights θ of an expert at a
    random epoch and is updated `student_steps` times with the gradients g_i of augmented batches
    of the synthetic images; θ* is the expert `expert_epochs` later.

    Activations of one step at a time are kept. With θ̂ = θ − η Σ g_i the loss is quadratic in
    Σ g_i, so its gradient with respect to a batch needs only v = 2 (θ̂ − θ*) / ‖θ − θ*‖² and that
    batch: −η ∂(g_i · v)/∂(batch i) (Cui et al., "Scaling Up Dataset Distillation to ImageNet-1K
    with Constant Memory", ICML 2023, section 3.2). A first pass sums the g_i, a second repeats
    the steps one at a time to differentiate them. As there, what a batch does to later gradients
    by way of the weights is left out; for one step the gradient is exact.

    The student's rate η is learned through its logarithm, which `parameters` hands out; it is the
    hint `student_rate` for whoever trains on the images.

    Args:
        real_images: uint8 N×C×H×W; only compared with what the experts saw.
        real_labels: Integers N.
        settings: See `LossSettings`; `experts` is required. With `classes_per_step` students see
            some of the classes only, which experts never did.

    Raises:
        DataError: Labels are out of range or do not match the images in number, or the experts
            are missing, incomplete, too short, or of another dataset or architecture.
        RecipeError: No experts are named, or an option is unknown or out of range.
    """

    sees_all_images = True

    def __init__(
        self,
        real_images: NDArray[np.uint8],
        real_labels: NDArray[np.integer],
        settings: LossSettings,
    ) -> None:
        self._options = read_options(TrajectoryOptions, settings.options)
        if settings.experts is None:
            raise RecipeError(
                "Trajectory matching needs experts; make some with 'ddc experts DATASET' and name "
                "their folder with --experts."
            )
        super().__init__(real_images, real_labels, settings)
        if settings.bfloat16 is None and self.device.type == "cuda":
            # Second derivatives of convolutions: 22 ms in bfloat16, 12 in float32 on an H200.
            self.bfloat16 = False
        facts: dict[str, Any] = self._facts(real_images, real_labels)
        self._experts = Experts(user_path(settings.experts), self.device, facts)
        latest = self._experts.epochs - self._options.expert_epochs
        self._starts = (
            min(self._options.max_start_epoch, latest + 1) - self._options.min_start_epoch
        )
        if self._starts < 1:
            raise RecipeError(
                f"The experts have {self._experts.epochs} epochs, too few for a start at "
                f"{self._options.min_start_epoch} and {self._options.expert_epochs} more; lower "
                "min_start_epoch or expert_epochs, or make longer experts."
            )
        own = (settings.mean, settings.std)
        theirs = (self._experts.mean, self._experts.std)
        self._renormalise = Renormalisation(own, theirs)
        rate = math.log(self._options.student_rate)
        self._log_rate = torch.tensor(rate, device=self.device).requires_grad_()

    def _keep(self, images: NDArray[np.uint8], labels: NDArray[np.integer]) -> Tensor | None:
        return None

    @property
    def student_rate(self) -> float:
        """The learning rate η as it stands."""
        return math.exp(float(self._log_rate.detach()))

    def __call__(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Compute the loss on all images handed in; see `DistillationLoss`."""
        segment = self._segment(len(labels), step)
        labels = labels.to(self.device)
        seen = self._renormalise(images)
        value, for_images, for_rate = self._match(seen.detach(), labels, segment, step)
        result: Tensor = _Differentiated.apply(  # type: ignore[no-untyped-call]
            seen, self._log_rate, value, (for_images, for_rate)
        )
        return result

    def parameters(self) -> Sequence[Tensor]:
        """Return the logarithm of the student's rate."""
        return (self._log_rate,)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the logarithm of the student's rate."""
        return {"log_rate": self._log_rate.detach().cpu().clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue with a rate from `state_dict`, in the tensor that `parameters` handed out."""
        with torch.no_grad():
            self._log_rate.copy_(state["log_rate"])

    def _segment(self, num_images: int, step: int) -> _Segment:
        stream = self._stream(OWN, _CHOICE, step)
        number = int(torch.randint(len(self._experts), (1,), generator=stream))
        start = self._options.min_start_epoch
        start += int(torch.randint(self._starts, (1,), generator=stream))
        return _Segment(
            self._experts.weights(number, start),
            self._experts.weights(number, start + self._options.expert_epochs),
            self._batches(num_images, step),
        )

    def _batches(self, num_images: int, step: int) -> list[Tensor]:
        """Return the rows of every student update, from shuffles strung together."""
        stream = self._stream(OWN, _BATCHES, step)
        size = min(self._options.student_batch, num_images)
        needed = self._options.student_steps * size
        passes = -(-needed // num_images)
        orders = [torch.randperm(num_images, generator=stream) for _ in range(passes)]
        return list(torch.split(torch.cat(orders)[:needed].to(self.device), size))

    def _match(
        self, images: Tensor, labels: Tensor, segment: _Segment, step: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss and its gradients with respect to the images and to log η."""
        rate = self.student_rate
        total = torch.zeros_like(segment.start)
        passed = []
        for update, rows in enumerate(segment.batches):
            passed.append(segment.start - rate * total)
            total += self._gradient(passed[-1], images[rows], labels[rows], (step, update))
        scale = (segment.start - segment.target).square().sum().clamp(min=1e-30)
        miss = segment.start - rate * total - segment.target
        direction = 2 * miss / scale
        for_images = torch.zeros_like(images)
        chosen = self._differentiated(len(passed), step)
        for update in chosen:
            rows = segment.batches[update]
            batch = images[rows].requires_grad_()
            purpose = (step, update)
            gradient = self._gradient(passed[update], batch, labels[rows], purpose, keep=True)
            (for_batch,) = torch.autograd.grad(gradient @ direction, batch)
            for_images.index_add_(0, rows, for_batch, alpha=-rate * len(passed) / len(chosen))
        return miss.square().sum() / scale, for_images, -rate * (total @ direction)

    def _differentiated(self, updates: int, step: int) -> list[int]:
        """Return the updates that are differentiated: their mean stands for that of all."""
        stream = self._stream(OWN, _DIFFERENTIATED, step)
        order = torch.randperm(updates, generator=stream)
        chosen: list[int] = order[: self._options.differentiated_steps].tolist()
        return chosen

    def _gradient(
        self,
        weights: Tensor,
        batch: Tensor,
        labels: Tensor,
        purpose: tuple[int, int],
        keep: bool = False,
    ) -> Tensor:
        """Return the gradient P of the student's loss, differentiable if it is to be kept."""
        stream = self._stream(OWN, _VIEWS, *purpose)
        views = augment.apply(batch, augment.draw(stream, len(batch), siamese=False))
        weights = weights.detach().requires_grad_()
        with precision.autocast(self.device, bool(self.bfloat16)):
            logits = self._experts.network.logits(weights, views)
        loss = F.cross_entropy(logits.float(), labels)
        (gradient,) = torch.autograd.grad(loss, weights, create_graph=keep)
        return gradient


class _Differentiated(torch.autograd.Function):
    """A value whose gradients are known already."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, log_rate: Tensor, value: Tensor, gradients: tuple[Tensor, Tensor]
    ) -> Tensor:
        ctx.save_for_backward(*gradients)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        for_images, for_rate = ctx.saved_tensors
        return outer * for_images, outer * for_rate, None, None

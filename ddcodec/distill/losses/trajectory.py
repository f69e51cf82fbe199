"""Trajectory matching: a student on synthetic images ends where an expert on real ones does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets.base import Pixels
from ddcodec.distill.losses.base import LossSettings, read_options
from ddcodec.distill.losses.real_data import OWN, RealDataLoss
from ddcodec.distill.losses.unrolled import UnrolledStudent
from ddcodec.distill.trained.derivatives import SLOPES_TO_COMPILE, compiling_pays
from ddcodec.distill.trained.experts import Experts
from ddcodec.distill.trained.training_part import RowReader
from ddcodec.errors import RecipeError
from ddcodec.kept.paths import user_path
from ddcodec.networks import augment
from ddcodec.networks.normalise import Renormalisation

_CHOICE, _BATCHES, _VIEWS = range(3)


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
        first_start_epochs: Epochs from which a student may start at first.
        growing_steps: Steps over which these become all; 0 for all at once. What is learned early
            in training is matched first (Guo et al., "Towards Lossless Dataset Distillation via
            Difficulty-Aligned Trajectory Matching", ICLR 2024, section 3.2).
    """

    student_steps: int = 40
    expert_epochs: int = 2
    min_start_epoch: int = 0
    max_start_epoch: int = 20
    student_batch: int = 256
    student_rate: float = 0.01
    first_start_epochs: int = 5
    growing_steps: int = 0

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            RecipeError: A count is below 1, the range of epochs is empty, or the rate not positive.
        """
        counts = ("student_steps", "expert_epochs", "student_batch", "first_start_epochs")
        for name in counts:
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.growing_steps < 0:
            raise RecipeError(f"growing_steps must be at least 0, not {self.growing_steps}.")
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
        rows: int64 T×B, the images that each update of the student sees.
    """

    start: Tensor
    target: Tensor
    rows: Tensor


class TrajectoryMatching(RealDataLoss):
    """Distance of a student's last weights to an expert's (Cazenavette et al., CVPR 2022).

    ‖θ̂ − θ*‖² / ‖θ − θ*‖² (their equation 2): a student starts at the weights θ of an expert at a
    random epoch and is updated `student_steps` times with the gradients g_i of augmented batches
    of the synthetic images; θ* is the expert `expert_epochs` later.

    All updates are differentiated exactly, while activations of one at a time are kept; see
    `UnrolledStudent`.

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
        real_images: Pixels,
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
        facts: dict[str, Any] = self._facts(real_images, real_labels)
        self._experts = Experts(user_path(settings.experts), self.device, facts)
        latest = self._experts.epochs - self._options.expert_epochs
        self._all_starts = (
            min(self._options.max_start_epoch, latest + 1) - self._options.min_start_epoch
        )
        if self._all_starts < 1:
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
        self._students: dict[bool, UnrolledStudent] = {}

    def _keep(self, images: Pixels, labels: NDArray[np.integer]) -> RowReader | None:
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
        with torch.enable_grad():
            leaf = seen.detach().requires_grad_()
            views = self._views(leaf, segment.rows, step)
        rate = torch.tensor(self.student_rate, device=self.device)
        start, target = segment.start, segment.target
        classes = labels[segment.rows.to(self.device)]
        student = self._student(step * segment.rows.numel())
        match = student.match(start, target, rate, views.detach(), classes)
        (for_images,) = torch.autograd.grad(views, leaf, match.for_views)
        # By the logarithm of the rate, which is what is learned.
        for_log_rate = rate * match.for_rate
        result: Tensor = _Differentiated.apply(  # type: ignore[no-untyped-call]
            seen, self._log_rate, match.distance, (for_images, for_log_rate)
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

    def _student(self, images_before: int) -> UnrolledStudent:
        """Return a student, compiled as soon as the steps before have cost more than compiling."""
        _, height, width = self._image_shape
        pays = compiling_pays(self.device, images_before, height * width, SLOPES_TO_COMPILE)
        if pays not in self._students:
            network, bfloat16 = self._experts.network, bool(self.bfloat16)
            self._students[pays] = UnrolledStudent(network, bfloat16, pays)
        return self._students[pays]

    def _segment(self, num_images: int, step: int) -> _Segment:
        stream = self._stream(OWN, _CHOICE, step)
        number = int(torch.randint(len(self._experts), (1,), generator=stream))
        start = self._options.min_start_epoch
        start += int(torch.randint(self._starts(step), (1,), generator=stream))
        return _Segment(
            self._experts.weights(number, start),
            self._experts.weights(number, start + self._options.expert_epochs),
            self._rows(num_images, step),
        )

    def _starts(self, step: int) -> int:
        """Return from how many epochs a student may start at a step: a number that grows."""
        options = self._options
        if step >= options.growing_steps:
            return self._all_starts
        first = min(max(1, options.first_start_epochs), self._all_starts)
        return first + (self._all_starts - first) * step // options.growing_steps

    def _rows(self, num_images: int, step: int) -> Tensor:
        """Return the rows of every student update, T×B, from shuffles strung together."""
        stream = self._stream(OWN, _BATCHES, step)
        size = min(self._options.student_batch, num_images)
        needed = self._options.student_steps * size
        passes = -(-needed // num_images)
        orders = [torch.randperm(num_images, generator=stream) for _ in range(passes)]
        return torch.cat(orders)[:needed].view(-1, size)

    def _views(self, images: Tensor, rows: Tensor, step: int) -> Tensor:
        """Return what each update sees, T×B×C×H×W: one operation an update, as DSA draws them.

        Updates of the same operation are augmented together, which launches six of them instead of
        one an update.
        """
        draws: dict[str, list[tuple[int, Tensor]]] = {}
        for update in range(len(rows)):
            stream = self._stream(OWN, _VIEWS, step, update)
            draw = augment.draw(stream, rows.shape[1], siamese=False)
            draws.setdefault(draw.operation, []).append((update, draw.uniforms))
        parts, order = [], []
        for operation, drawn in draws.items():
            updates = [update for update, _ in drawn]
            draw = augment.AugmentationDraw(operation, torch.cat([each for _, each in drawn]))
            parts.append(augment.apply(images[rows[updates].flatten().to(images.device)], draw))
            order += updates
        views = torch.cat(parts).view(*rows.shape, *images.shape[1:])
        return views[torch.tensor(order).argsort().to(images.device)]


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

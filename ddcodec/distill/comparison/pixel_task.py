"""What a run on pixels is given, how it goes about it, and what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.budget import Budget
from ddcodec.codec.encode import EncodedFile
from ddcodec.distill.comparison.pixel_context import ContextFit
from ddcodec.distill.latents.representation import Representation
from ddcodec.distill.rate.allocation import Allocation
from ddcodec.distill.rate.utilities import Distillation
from ddcodec.distill.running.progress import ProgressCallback

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class PixelSettings:
    """How pixels are optimised.

    Attributes:
        learning_rates: of Adam on pixels in grey levels, from and to, by half a cosine.
        loss_rate: of Adam on what a loss optimises itself, such as the student's rate.
        probe_images: real images whose size foretells that of others.
        surplus: images beyond those foreseen, as a share: what does not fit is removed. Twice
            that if a trained context model still leaves room.
        recount_at: when, as a share of the steps, the number of images is corrected.
        context_depth: hidden layers of the context model.
        probe_fit, final_fit: training of the context model, to measure and to keep.
    """

    learning_rates: tuple[float, float] = (2.5, 0.1)
    loss_rate: float = 0.05
    probe_images: int = 60
    surplus: float = 0.2
    recount_at: float = 0.5
    context_depth: int = 2
    probe_fit: ContextFit = field(default_factory=lambda: ContextFit(steps=150))
    final_fit: ContextFit = field(default_factory=ContextFit)


@dataclass(frozen=True)
class PixelTask:
    """What a run on pixels is given.

    Attributes:
        images: the training part, uint8 N×C×H×W.
        available_counts: images of each class in it, int64.
        class_names: kept in the file, or None.
        mean, std: of the header, per channel in 1/256.
        budget: of the file.
        images_per_class: as the user fixed it; None follows from the budget.
        keeps_all: whether all images are coded, whatever the budget.
        context_width: inputs of the context model; None follows from the budget.
        choose: returns uint8 images, sorted by class, for numbers of images per class; a larger
            choice begins, class by class, with the smaller one.
        distillation: returns the loss on a representation; None codes real images as they are.
        steps: of the optimisation.
        seed: everything random follows from it.
        device: where to compute.
        on_progress: called now and then.
    """

    images: NDArray[np.uint8]
    available_counts: Integers
    class_names: tuple[str, ...] | None
    mean: tuple[int, ...]
    std: tuple[int, ...]
    budget: Budget
    images_per_class: int | None
    context_width: int | None
    choose: Callable[[Integers], NDArray[np.uint8]]
    distillation: Callable[[Representation], Distillation] | None
    steps: int
    seed: int
    device: torch.device
    on_progress: ProgressCallback
    keeps_all: bool = False

    @property
    def has_fixed_counts(self) -> bool:
        """Whether the number of images does not follow from the budget."""
        return self.keeps_all or self.images_per_class is not None


@dataclass(frozen=True)
class PixelFile:
    """A finished run on pixels.

    Attributes:
        encoded: the file.
        allocation: how the budget was spent.
        estimated_bytes: float rate of pixels and weights plus the exact rest.
        real_images: where its images started from, N×C×H×W uint8, sorted by class.
    """

    encoded: EncodedFile
    allocation: Allocation
    estimated_bytes: float
    real_images: NDArray[np.uint8]

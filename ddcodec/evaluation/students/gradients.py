"""Gradients of a batch, a few images at a time, compiled where that pays."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ddcodec.evaluation.students.unfinished import UnfinishedNetworks
from ddcodec.networks import Classifier, precision
from ddcodec.networks.compiling import compiled

# Of 32×32 pixels. On a CPU compiling took 30 s of one core (5 s once the programs are kept) and
# then saved 0.2 to 0.5 ms an image (docs/results/speed.md): it pays from 60,000 to 150,000 images
# on.
# On an H200 it took 30 s and halved an update of 256 images, from 3.7 ms to 1.9.
COMPILE_FROM_IMAGES = {"cpu": 250_000, "cuda": 1_000_000}

LossFunction = Callable[[Classifier, Tensor, Tensor], Tensor]
"""Takes a network, normalised images and targets: classes, int64 N, or probabilities N×classes."""


ShowUpdates = Callable[[int, int, float | None], None]


@dataclass(frozen=True)
class TrainingOptions:
    """How to compute, as opposed to what.

    Attributes:
        device: Where to train.
        compiled: Use `torch.compile`; None does on a CPU where a compiler is found and the run is
            long enough to pay for it. Where compilation fails, training goes on without.
        bfloat16: Compute in bfloat16; None does where it pays.
        on_progress: Called now and then with (updates done, updates in all, last loss), first
            the updates that need not be done, usually 0, and None.
        unfinished: Where networks are kept while they are trained, or None.
    """

    device: str = "cpu"
    compiled: bool | None = None
    bfloat16: bool | None = None
    on_progress: ShowUpdates | None = None
    unfinished: UnfinishedNetworks | None = None

    @property
    def computes_in_bfloat16(self) -> bool:
        """Whether networks compute in bfloat16."""
        if self.bfloat16 is not None:
            return self.bfloat16
        return precision.bfloat16_pays(torch.device(self.device))


def loss_function(options: TrainingOptions, images_in_all: float) -> LossFunction:
    """Choose how to compute the loss of a run over a number of 32×32 images."""
    eager = loss_bfloat16 if options.computes_in_bfloat16 else loss_float32
    return compiled_where_it_pays(eager, options, images_in_all)


def compiled_where_it_pays(
    eager: Callable[..., Tensor], options: TrainingOptions, images_in_all: float
) -> Callable[..., Tensor]:
    """Return a loss, or its compiled form for a run over so many 32×32 images."""
    is_compiled = options.compiled
    if is_compiled is None:
        least = COMPILE_FROM_IMAGES.get(torch.device(options.device).type, math.inf)
        is_compiled = images_in_all >= least and precision.compiler_found()
    if not is_compiled:
        return eager
    return compiled(eager)


def add_gradients(
    loss_of: LossFunction, network: Classifier, images: Tensor, labels: Tensor
) -> Tensor:
    """Add the gradients of a batch's mean loss to the network's; return the loss.

    On a CPU a few images at a time, unless the network looks beyond the single image: gradients of
    parts add up to the batch's.
    """
    size = len(images) if network.mixes_images else precision.micro_batch(images)
    total = torch.zeros((), device=images.device)
    parts = zip(torch.split(images, size), torch.split(labels, size), strict=True)
    for part, targets in parts:
        loss = loss_of(network, part, targets) * (len(part) / len(images))
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    return total


def loss_float32(network: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of a batch."""
    return F.cross_entropy(network(images), labels)


def loss_bfloat16(network: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of a batch that the network sees in bfloat16."""
    with torch.autocast(images.device.type, torch.bfloat16):
        return F.cross_entropy(network(images).float(), labels)

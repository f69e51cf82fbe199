"""Small real and synthetic data for tests of losses; pools and experts made of the former."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddcodec.datasets import Dataset, ImageSplit
from ddcodec.datasets.base import split_validation
from ddcodec.distill.losses import DistillationLoss, LossSettings
from ddcodec.distill.trained.experts import ExpertSettings, make_experts
from ddcodec.distill.trained.pools import PoolSettings, make_pool

CLASSES = 3
SETTINGS = LossSettings(
    mean=(0.5,) * 3,
    std=(0.25,) * 3,
    num_classes=CLASSES,
    seed=4,
    batch_real=6,
    network_width=8,
    steps_per_network=2,
    bfloat16=False,
)
EXPERTS = ExpertSettings(count=2, epochs=3, dtype="fp32", network_width=8)
TRAJECTORY = {"student_steps": 2, "expert_epochs": 2, "student_batch": 4}
POOL = PoolSettings(count=2, epochs=(0, 2), mixes=(0.5,), draws=2, frequencies=32, network_width=8)


def settings_for(channels: int) -> LossSettings:
    """Return the settings for images of some channels."""
    return dataclasses.replace(SETTINGS, mean=(0.5,) * channels, std=(0.25,) * channels)


def real_data(shape: tuple[int, ...] = (3, 16, 12)) -> tuple[np.ndarray, np.ndarray]:
    """Make ten noise images per class."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), 10)
    return rng.integers(0, 256, (len(labels), *shape), dtype=np.uint8), labels


def real_dataset(shape: tuple[int, ...] = (3, 16, 12)) -> Dataset:
    """Make a dataset whose training part is `training_data`: a ninth more images, apart."""
    images, labels = real_data(shape)
    split = ImageSplit(images, labels)
    return Dataset("noise", tuple("abc"), split, None, fingerprint="noise")


def training_data(shape: tuple[int, ...] = (3, 16, 12)) -> tuple[np.ndarray, np.ndarray]:
    """Return the training part of `real_dataset`."""
    images, labels = real_data(shape)
    rows, _ = split_validation(labels)
    return images[rows], labels[rows]


def synthetic(shape: tuple[int, ...] = (3, 16, 12)) -> tuple[Tensor, Tensor]:
    """Make two images per class that want gradients."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2 * CLASSES, *shape, generator=generator).requires_grad_(True)
    return images, torch.arange(CLASSES).repeat(2)


def descend(loss: DistillationLoss, images: Tensor, labels: Tensor, rate: float) -> None:
    """Move the images down the loss by thirty steps of Adam."""
    optimizer = torch.optim.Adam([images], lr=rate)
    for step in range(30):
        optimizer.zero_grad()
        loss(images, labels, step).backward()
        optimizer.step()


def share_left_by_descent(loss: DistillationLoss, unseen: Sequence[int]) -> float:
    """Return the loss over steps not descended on, after `descend` as a share of before."""
    images, labels = synthetic()
    before = sum(loss(images, labels, step).item() for step in unseen)
    descend(loss, images, labels, rate=0.05)
    return sum(loss(images, labels, step).item() for step in unseen) / before


def build_pool(
    folder: Path, settings: PoolSettings = POOL, shape: tuple[int, ...] = (3, 16, 12)
) -> int:
    """Make a pool of the noise; returns how many networks were missing."""
    return _missing(make_pool, folder, settings, shape)


def build_experts(
    folder: Path, settings: ExpertSettings = EXPERTS, shape: tuple[int, ...] = (3, 16, 12)
) -> int:
    """Train experts on the noise; returns how many were missing."""
    return _missing(make_experts, folder, settings, shape)


def _missing(
    make: Callable[..., None], folder: Path, settings: object, shape: tuple[int, ...]
) -> int:
    planned: list[int] = []
    make(
        real_dataset(shape),
        folder,
        settings,
        torch.device("cpu"),
        lambda progress: None,
        lambda missing, needed: planned.append(missing),
    )
    return planned[0]

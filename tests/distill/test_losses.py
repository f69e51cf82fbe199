"""Distillation losses: what all of them promise, and distribution matching by hand."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from ddcodec.distill.losses import LOSSES, DistributionMatching, LossSettings
from ddcodec.errors import DataError, RecipeError
from ddcodec.networks import Classifier, augment

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


def real_data(shape: tuple[int, ...] = (3, 16, 12)) -> tuple[np.ndarray, np.ndarray]:
    """Make ten noise images per class."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), 10)
    return rng.integers(0, 256, (len(labels), *shape), dtype=np.uint8), labels


def synthetic(shape: tuple[int, ...] = (3, 16, 12)) -> tuple[Tensor, Tensor]:
    """Make two images per class that want gradients."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2 * CLASSES, *shape, generator=generator).requires_grad_(True)
    return images, torch.arange(CLASSES).repeat(2)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_loss_gives_gradients_to_every_image(name: str, channels: int) -> None:
    """Every entry returns a finite scalar with gradients at all synthetic images."""
    shape = (channels, 15, 12)
    settings = dataclasses.replace(SETTINGS, mean=(0.5,) * channels, std=(0.2,) * channels)
    loss = LOSSES[name](*real_data(shape), settings)
    images, labels = synthetic(shape)
    value = loss(images, labels, 0)
    assert value.shape == ()
    assert value.dtype == torch.float32
    value.backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()
    assert (images.grad.flatten(1).abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_a_function_of_seed_and_step(name: str) -> None:
    """A loss started at a later step gives what one run from the beginning gives there."""
    images, labels = synthetic()
    from_start = LOSSES[name](*real_data(), SETTINGS)
    values = [from_start(images, labels, step).item() for step in range(5)]
    resumed = LOSSES[name](*real_data(), SETTINGS)
    assert resumed(images, labels, 3).item() == values[3]
    assert resumed(images, labels, 4).item() == values[4]
    assert resumed(images, labels, 0).item() == values[0]
    other = LOSSES[name](*real_data(), dataclasses.replace(SETTINGS, seed=5))
    assert other(images, labels, 3).item() != values[3]
    assert values[0] != values[4]


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_asks_for_all_classes_in_turn(name: str) -> None:
    """Subsets visit every class within one pass and stay for a network; none means None."""
    assert LOSSES[name](*real_data(), SETTINGS).classes_for_step(0) is None
    subset = dataclasses.replace(SETTINGS, classes_per_step=2)
    loss = LOSSES[name](*real_data(), subset)
    asked = [loss.classes_for_step(step) for step in range(2 * subset.steps_per_network)]
    assert all(classes is not None and len(classes.unique()) == 2 for classes in asked)
    assert {int(k) for classes in asked if classes is not None for k in classes} == {0, 1, 2}
    assert asked[0] is not None
    assert asked[1] is not None
    assert torch.equal(asked[0], asked[1])
    images, labels = synthetic()
    wanted = torch.isin(labels, asked[0])
    assert loss(images[wanted], labels[wanted], 0).isfinite()


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_refuses_labels_out_of_range(name: str) -> None:
    """A real label that is no class is refused when the loss is built."""
    images, labels = real_data()
    with pytest.raises(DataError):
        LOSSES[name](images, labels + 1, SETTINGS)
    with pytest.raises(DataError):
        LOSSES[name](images[1:], labels, SETTINGS)


def test_distribution_matching_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """With pixels as embedding the loss is the summed squared distance of class means."""
    monkeypatch.setattr(augment, "apply", lambda images, _: images)
    monkeypatch.setattr(Classifier, "forward", lambda self, x: x)
    settings = LossSettings(mean=(0.0,), std=(1.0,), num_classes=2, bfloat16=False)
    real = np.array([0, 255, 51, 51], dtype=np.uint8).reshape(4, 1, 1, 1).repeat(2, 2).repeat(2, 3)
    loss = DistributionMatching(real, np.array([0, 0, 1, 1]), settings)
    loss._enter_round(0)
    monkeypatch.setattr(loss._network, "features", lambda x: x[:, :, 0, 0])
    images = torch.tensor([1.0, 0.6, 0.2]).reshape(3, 1, 1, 1).expand(3, 1, 2, 2)
    # Class 0: mean real 0.5, synthetic 0.8; class 1: 0.2 on both sides.
    assert float(loss(images, torch.tensor([0, 0, 1]), 0)) == pytest.approx(0.09, abs=1e-6)
    # Class 1 alone, far off: (0.2 − 1)².
    assert float(loss(images[:1], torch.tensor([1]), 0)) == pytest.approx(0.64, abs=1e-6)


def test_distribution_matching_of_the_real_images_themselves_is_zero() -> None:
    """Synthetic images equal to the real ones leave nothing to match."""
    real, labels = real_data()
    loss = DistributionMatching(real, labels, dataclasses.replace(SETTINGS, batch_real=10))
    images = (torch.from_numpy(real) / 255 - 0.5) / 0.25
    assert float(loss(images, torch.from_numpy(labels), 0)) < 1e-6


def test_descending_the_loss_lowers_it_under_unseen_networks() -> None:
    """Thirty gradient steps bring the images closer under networks they were not made with."""
    loss = DistributionMatching(*real_data(), SETTINGS)
    images, labels = synthetic()

    def unseen() -> float:
        return sum(loss(images, labels, step).item() for step in range(1000, 1016, 2))

    before = unseen()
    optimizer = torch.optim.Adam([images], lr=0.05)
    for step in range(30):
        optimizer.zero_grad()
        loss(images, labels, step).backward()
        optimizer.step()
    assert unseen() < 0.8 * before


def test_a_class_without_real_images_is_named() -> None:
    """Asking for a class that the real data lack is an error that names it."""
    real, labels = real_data()
    loss = DistributionMatching(real[labels != 1], labels[labels != 1], SETTINGS)
    images, synthetic_labels = synthetic()
    with pytest.raises(DataError, match="class 1"):
        loss(images, synthetic_labels, 0)


@pytest.mark.parametrize("field", ["num_classes", "batch_real", "steps_per_network"])
def test_settings_refuse_counts_below_one(field: str) -> None:
    """A count of zero is refused by name."""
    with pytest.raises(RecipeError, match=field):
        dataclasses.replace(SETTINGS, **{field: 0})

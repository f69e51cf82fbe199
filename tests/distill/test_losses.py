"""Distillation losses: what all of them promise."""

import dataclasses

import pytest
import torch
from distill.loss_inputs import SETTINGS, real_data, synthetic

from ddcodec.distill.losses import LOSSES
from ddcodec.errors import DataError, RecipeError


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


@pytest.mark.parametrize("field", ["num_classes", "batch_real", "steps_per_network"])
def test_settings_refuse_counts_below_one(field: str) -> None:
    """A count of zero is refused by name."""
    with pytest.raises(RecipeError, match=field):
        dataclasses.replace(SETTINGS, **{field: 0})

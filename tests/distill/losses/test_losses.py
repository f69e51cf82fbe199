"""Distillation losses: what all of them promise."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from distill.loss_inputs import SETTINGS, synthetic, training_data

from ddcodec.distill.losses import LOSSES, DistillationLoss, LossSettings
from ddcodec.errors import DataError, RecipeError

Maker = Callable[..., LossSettings]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_loss_gives_gradients_to_every_image(
    name: str, channels: int, settings_of: Maker
) -> None:
    """Every entry returns a finite scalar with gradients at all synthetic images."""
    shape = (channels, 15, 12)
    loss = LOSSES[name](*training_data(shape), settings_of(name, shape))
    assert isinstance(loss, DistillationLoss)
    images, labels = synthetic(shape)
    value = loss(images, labels, 0)
    assert value.shape == ()
    assert value.dtype == torch.float32
    value.backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()
    assert (images.grad.flatten(1).abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_a_function_of_seed_and_step(name: str, settings_of: Maker) -> None:
    """A loss started at a later step gives what one run from the beginning gives there."""
    settings = settings_of(name)
    images, labels = synthetic()
    from_start = LOSSES[name](*training_data(), settings)
    values = [from_start(images, labels, step).item() for step in range(5)]
    resumed = LOSSES[name](*training_data(), settings)
    assert resumed(images, labels, 3).item() == values[3]
    assert resumed(images, labels, 4).item() == values[4]
    assert resumed(images, labels, 0).item() == values[0]
    other = LOSSES[name](*training_data(), dataclasses.replace(settings, seed=5))
    assert other(images, labels, 3).item() != values[3]
    assert values[0] != values[4]


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_resumes_from_its_state(name: str, settings_of: Maker) -> None:
    """Images and the loss's own parameters change at every step; the state carries the rest."""
    settings = settings_of(name)
    images, labels = synthetic()
    loss = LOSSES[name](*training_data(), settings)
    for step in range(3):
        value = loss(images + 0.1 * step, labels, step)
        gradients = torch.autograd.grad(value, loss.parameters()) if loss.parameters() else ()
        with torch.no_grad():
            for parameter, gradient in zip(loss.parameters(), gradients, strict=True):
                parameter.sub_(gradient)
    state = loss.state_dict()
    expected = loss(images + 0.3, labels, 3).item()
    resumed = LOSSES[name](*training_data(), settings)
    resumed.load_state_dict(state)
    assert resumed(images + 0.3, labels, 3).item() == expected
    # A checkpoint from before the first step begins anew.
    resumed.load_state_dict(LOSSES[name](*training_data(), settings).state_dict())
    fresh = LOSSES[name](*training_data(), settings)
    assert resumed(images, labels, 0).item() == fresh(images, labels, 0).item()


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_asks_for_all_classes_in_turn(name: str, settings_of: Maker) -> None:
    """Subsets visit every class within one pass and stay for a network; none means None."""
    assert LOSSES[name](*training_data(), settings_of(name)).classes_for_step(0) is None
    subset = settings_of(name, classes_per_step=2)
    loss = LOSSES[name](*training_data(), subset)
    assert subset.steps_per_network is not None
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
def test_every_loss_refuses_labels_out_of_range(name: str, settings_of: Maker) -> None:
    """A real label that is no class is refused when the loss is built."""
    images, labels = training_data()
    with pytest.raises(DataError):
        LOSSES[name](images, labels + 1, settings_of(name))
    with pytest.raises(DataError):
        LOSSES[name](images[1:], labels, settings_of(name))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_refuses_unknown_options(name: str, settings_of: Maker) -> None:
    """A misspelt option is named."""
    settings = dataclasses.replace(settings_of(name), options={"magic": 1})
    with pytest.raises(RecipeError, match="Unknown option 'magic'"):
        LOSSES[name](*training_data(), settings)


@pytest.mark.parametrize("field", ["num_classes", "batch_real", "steps_per_network"])
def test_settings_refuse_counts_below_one(field: str) -> None:
    """A count of zero is refused by name."""
    with pytest.raises(RecipeError, match=field):
        dataclasses.replace(SETTINGS, **{field: 0})


def test_options_are_documented() -> None:
    """Every option stands in docs/extending.md with its default, or a rule for it."""
    from ddcodec.distill.losses.comparison.characteristic import CharacteristicOptions
    from ddcodec.distill.losses.comparison.gradient import GradientOptions
    from ddcodec.distill.losses.distribution import DistributionOptions
    from ddcodec.distill.losses.trajectory import TrajectoryOptions

    text = (Path(__file__).parents[3] / "docs" / "extending.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    documented = {
        (name.strip(" `"), float(default))
        for row in rows
        if len(row) == 6 and re.fullmatch(r"[\d., ]+", row[3])
        for name, default in zip(row[2].split(","), row[3].split(","), strict=True)
    }
    kinds = (CharacteristicOptions, DistributionOptions, GradientOptions, TrajectoryOptions)
    expected = {(f.name, f.default) for kind in kinds for f in dataclasses.fields(kind)}
    ruled = {(name, default) for name, default in expected if default is None}
    assert documented == expected - ruled
    assert ruled == {("cross_entropy", None)}
    assert "| `dm` | `cross_entropy` | 400 / images of the class, at most 20 |" in text

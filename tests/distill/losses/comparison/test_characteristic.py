"""Characteristic-function matching by hand, and that it sees more than means."""

import dataclasses
import math

import pytest
import torch
from distill.loss_inputs import SETTINGS, real_data, share_left_by_descent

from ddcodec.distill.losses import CharacteristicMatching
from ddcodec.distill.losses.comparison.characteristic import characteristic_distance
from ddcodec.errors import RecipeError


def test_distance_by_hand() -> None:
    """At φ = 1 and φ̃ = i/2 the terms are (1 − ½)² and 2 (1 · ½ − 0), whatever the frequency."""
    real, synthetic_side = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [0.5]])
    assert float(characteristic_distance(synthetic_side, real, 1.0)) == pytest.approx(0.5)
    assert float(characteristic_distance(synthetic_side, real, 0.0)) == pytest.approx(1.0)
    # √(½ · ¼ + ½ · 1) = |1 − i/2| / √2.
    expected = math.sqrt(0.625)
    assert float(characteristic_distance(synthetic_side, real, 0.5)) == pytest.approx(expected)
    assert expected == pytest.approx(abs(1 - 0.5j) / math.sqrt(2))


def test_distance_is_a_mean_over_frequencies() -> None:
    """Two frequencies with distances 0 and 0.8/√2 give half of the latter."""
    real = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    other = torch.tensor([[1.0, 0.2], [0.0, 0.0]])
    expected = 0.8 / math.sqrt(2) / 2
    assert float(characteristic_distance(other, real, 0.5)) == pytest.approx(expected, abs=1e-5)


def test_equal_sides_have_gradients_that_are_finite() -> None:
    """The roots at distance zero do not poison the gradient."""
    side = torch.tensor([[0.3, 0.0], [0.4, 0.0]], requires_grad=True)
    characteristic_distance(side, side.detach().clone(), 0.5).backward()
    assert side.grad is not None
    assert side.grad.isfinite().all()


def test_real_images_themselves_are_nearest() -> None:
    """The whole real set is at distance 0 from itself; half of it is not."""
    real, labels = real_data()
    settings = dataclasses.replace(SETTINGS, batch_real=10, options={"frequencies": 64})
    loss = CharacteristicMatching(real, labels, settings)
    images = (torch.from_numpy(real) / 255 - 0.5) / 0.25
    assert float(loss(images, torch.from_numpy(labels), 0)) < 1e-3
    assert float(loss(images[::2], torch.from_numpy(labels[::2]), 0)) > 0.1


def test_equal_means_are_told_apart() -> None:
    """Embeddings of equal mean and unequal spread differ in amplitude."""
    from ddcodec.distill.trained.class_statistics import characteristic_function, frequency_table

    angle = torch.tensor([0.2, -0.2])
    narrow = torch.stack([angle.cos(), angle.sin()], dim=1)
    # Unit vectors at ±1.2 and 0, weighted so that the mean is the same: w cos 1.2 + 1 − w = cos .2
    count = 1000
    wide_share = (1 - math.cos(0.2)) / (1 - math.cos(1.2))
    wide_count = round(count * wide_share / 2)
    wide = torch.tensor([1.2, -1.2]).repeat(wide_count)
    wide = torch.cat([wide, torch.zeros(count - 2 * wide_count)])
    wide = torch.stack([wide.cos(), wide.sin()], dim=1)
    assert torch.allclose(narrow.mean(dim=0), wide.mean(dim=0), atol=2e-3)
    frequencies = frequency_table(64, 2) / 0.2
    sides = [characteristic_function(group, frequencies) for group in (narrow, wide)]
    assert float(characteristic_distance(*sides, 1.0)) > 0.05


def test_descending_the_loss_lowers_it_under_unseen_networks() -> None:
    """Thirty gradient steps bring the images closer under networks they were not made with."""
    loss = CharacteristicMatching(*real_data(), SETTINGS)
    # Two images cannot stand for ten: most of the distance is there to stay.
    assert share_left_by_descent(loss, range(1000, 1016, 2)) < 0.95


@pytest.mark.parametrize(
    "options",
    [{"amplitude": 1.5}, {"frequencies": 0}, {"amplitud": 0.5}, {"frequencies": 3.5},
     {"amplitude": "much"}, {"cross_entropy": -1.0}],
)  # fmt: skip
def test_wrong_options(options: dict[str, object]) -> None:
    """What is unknown, out of range or without a needed pool is refused."""
    with pytest.raises(RecipeError):
        CharacteristicMatching(*real_data(), dataclasses.replace(SETTINGS, options=options))

"""Gradient matching by hand, its two loops, and resuming between them."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from distill.linear_network import LinearNetwork
from distill.loss_inputs import SETTINGS, real_data, share_left_by_descent, synthetic
from torch import Tensor

from ddcodec.distill.losses import GradientMatching, LossSettings
from ddcodec.distill.losses.comparison.gradient import row_distance
from ddcodec.errors import RecipeError
from ddcodec.networks import NETWORKS, augment


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> LossSettings:
    """Pixels are what networks see, networks are matrices, nothing is augmented."""
    monkeypatch.setattr(augment, "apply", lambda images, _: images)
    monkeypatch.setitem(NETWORKS, "linear", LinearNetwork)
    return LossSettings(
        mean=(0.0,), std=(1.0,), num_classes=2, arch="linear", bfloat16=False,
        steps_per_network=3, options={"inner_steps": 2, "inner_batch": 9, "learning_rate": 0.5},
    )  # fmt: skip


def test_row_distance_by_hand() -> None:
    """Rows (3, 4), (4, 3) have cosine 24/25; rows (1, 0), (0, 2) have 0; a row of zeros has 0."""
    real = torch.tensor([[3.0, 4.0], [1.0, 0.0], [1.0, 1.0]])
    other = torch.tensor([[4.0, 3.0], [0.0, 2.0], [0.0, 0.0]])
    assert float(row_distance(other, real)) == pytest.approx(0.04 + 1 + 1)


def test_loss_by_hand(by_hand: LossSettings) -> None:
    """One image a side: a row's gradient is (p − y) x, so both rows are as far as the images."""
    real = np.array([[0, 255], [255, 0]], dtype=np.uint8).reshape(2, 1, 1, 2)
    loss = GradientMatching(real, np.array([0, 1]), by_hand)
    images = torch.tensor([[1.0, 1.0], [0.6, -0.8]]).reshape(2, 1, 1, 2)
    # Class 0: (0, 1) against (1, 1): 1 − 1/√2; class 1: (1, 0) against (0.6, −0.8): 1 − 0.6.
    expected = 2 * (1 - math.sqrt(0.5)) + 2 * 0.4
    assert loss(images, torch.tensor([0, 1]), 0).item() == pytest.approx(expected, rel=1e-5)


def _trained(weights: Tensor, images: Tensor, labels: Tensor, updates: int) -> Tensor:
    """Return a 2×D matrix after gradient descent at rate 0.5, by the textbook formula."""
    targets = torch.eye(2)[labels]
    for _ in range(updates):
        surprise = (images @ weights.T).softmax(dim=1) - targets
        weights = weights - 0.5 * surprise.T @ images / len(images)
    return weights


def test_the_network_is_trained_between_matchings(by_hand: LossSettings) -> None:
    """Two updates come before the second step, two more before the third, then a new network."""
    real = np.random.default_rng(0).integers(0, 256, (4, 1, 1, 3), dtype=np.uint8)
    loss = GradientMatching(real, np.array([0, 0, 1, 1]), by_hand)
    images = torch.tensor([[1.0, 0.5, 0.0], [-1.0, 0.3, 0.7]]).reshape(2, 1, 1, 3)
    labels = torch.tensor([0, 1])
    loss(images, labels, 0)
    initial = loss.state_dict()["weights"].view(2, 3)
    for step, updates in ((1, 2), (2, 4)):
        loss(images, labels, step)
        expected = _trained(initial, images.flatten(1), labels, updates)
        assert torch.allclose(loss.state_dict()["weights"].view(2, 3), expected, atol=1e-6)
    loss(images, labels, 3)
    assert not torch.allclose(loss.state_dict()["weights"].view(2, 3), initial)


def test_a_checkpoint_carries_the_network() -> None:
    """Images change from step to step: only with the state does a resumed loss agree."""
    settings = dataclasses.replace(SETTINGS, steps_per_network=4)
    images, labels = synthetic()
    loss = GradientMatching(*real_data(), settings)
    for step in range(2):
        loss(images * (1 + step), labels, step)
    state = loss.state_dict()
    expected = loss(3 * images, labels, 2).item()
    resumed = GradientMatching(*real_data(), settings)
    resumed.load_state_dict(state)
    assert resumed(3 * images, labels, 2).item() == expected
    assert GradientMatching(*real_data(), settings)(3 * images, labels, 2).item() != expected
    assert loss(3 * images, labels, 2).item() == expected, "a step asked twice changes nothing"
    assert GradientMatching(*real_data(), settings).state_dict() == {}


def test_descending_the_loss_lowers_it_under_unseen_networks() -> None:
    """Thirty steps on random networks bring gradients closer under others."""
    settings = dataclasses.replace(SETTINGS, steps_per_network=1, batch_real=10)
    loss = GradientMatching(*real_data(), settings)
    assert share_left_by_descent(loss, range(1000, 1006)) < 0.9


@pytest.mark.parametrize(
    "options", [{"inner_steps": -1}, {"inner_batch": 0}, {"learning_rate": -0.1}, {"steps": 1}]
)
def test_wrong_options(options: dict[str, object]) -> None:
    """What is unknown or out of range is refused."""
    with pytest.raises(RecipeError):
        GradientMatching(*real_data(), dataclasses.replace(SETTINGS, options=options))

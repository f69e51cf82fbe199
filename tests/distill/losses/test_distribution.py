"""Distribution matching by hand, and what descending it does."""

import dataclasses

import numpy as np
import pytest
import torch
from distill.loss_inputs import SETTINGS, real_data, share_left_by_descent, synthetic

from ddcodec.distill.losses import DistributionMatching, LossSettings
from ddcodec.errors import DataError
from ddcodec.networks import Classifier, augment


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
    assert share_left_by_descent(loss, range(1000, 1016, 2)) < 0.8


def test_a_class_without_real_images_is_named() -> None:
    """Asking for a class that the real data lack is an error that names it."""
    real, labels = real_data()
    loss = DistributionMatching(real[labels != 1], labels[labels != 1], SETTINGS)
    images, synthetic_labels = synthetic()
    with pytest.raises(DataError, match="class 1"):
        loss(images, synthetic_labels, 0)

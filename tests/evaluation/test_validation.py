"""Judging candidates: on the validation part alone, repeatably, leaving the run's randomness be."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ddcodec.datasets.base import Dataset, ImageSplit, split_validation
from ddcodec.datasets.parts import validation_part
from ddcodec.evaluation import validation
from ddcodec.evaluation.validation import Validation
from ddcodec.training_set import TrainingSet


def _dataset() -> Dataset:
    """Return dark and bright noise, 20 of each; there is no test split."""
    random = np.random.default_rng(3)
    labels = np.repeat(np.arange(2), 20)
    images = random.integers(0, 100, (40, 3, 8, 8)) + 150 * labels[:, None, None, None]
    split = ImageSplit(images.astype(np.uint8), labels)
    return Dataset("noise", ("dark", "bright"), split, None, fingerprint="noise")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(validation.SELECTION, updates=30, network_width=8, batch_size=8)
    monkeypatch.setattr(validation, "SELECTION", short)
    short = replace(
        validation.LABEL_SELECTION, updates=60, network_width=8, batch_size=8, learning_rate=0.01
    )
    monkeypatch.setattr(validation, "LABEL_SELECTION", short)


def test_good_candidates_beat_bad_ones() -> None:
    """Images with their own labels teach, with the others' they mislead; twice the same."""
    dataset = _dataset()
    judge = Validation(dataset, "cpu")
    images, labels = dataset.train.images[::4], dataset.train.labels[::4]
    state = torch.random.get_rng_state()
    good, bad = judge(images, labels), judge(images, 1 - labels)
    assert good > 90 and bad < 10
    assert judge(images, labels) == good
    assert torch.equal(torch.random.get_rng_state(), state)


def test_only_the_validation_part_is_looked_at() -> None:
    """Labels of training images do not matter; those of the validation part decide."""
    dataset = _dataset()
    images, labels = dataset.train.images[::4].copy(), dataset.train.labels[::4].copy()
    training, kept = split_validation(dataset.train.labels)
    assert np.array_equal(validation_part(dataset).images, dataset.train.images[kept])
    inverted = dataset.train.images.copy()
    inverted[kept] = 255 - inverted[kept]
    upside_down = replace(dataset, train=ImageSplit(inverted, dataset.train.labels))
    assert Validation(upside_down, "cpu")(images, labels) < 10
    shuffled = dataset.train.images.copy()
    shuffled[training] = shuffled[training][::-1]
    assert Validation(replace(dataset, train=ImageSplit(shuffled, dataset.train.labels)), "cpu")(
        images, labels
    ) == Validation(dataset, "cpu")(images, labels)


def test_files_are_judged_with_all_their_labels() -> None:
    """Soft labels that contradict the classes mislead; the run's randomness stays as it was."""
    dataset = _dataset()
    images = torch.from_numpy(dataset.train.images[::4].copy())
    labels = torch.from_numpy(dataset.train.labels[::4].copy())
    mean, std = (0.5,) * 3, (0.25,) * 3
    hard = TrainingSet(images, labels, dataset.class_names, mean, std, file_size_bytes=1)
    soft = replace(hard, soft_labels=torch.nn.functional.one_hot(1 - labels).float())
    judge = Validation(dataset, "cpu")
    state = torch.random.get_rng_state()
    assert judge.judge_file(hard) > 90
    assert judge.judge_file(soft) < 10
    assert torch.equal(torch.random.get_rng_state(), state)

"""Runs with nothing held out: all training images are learned from, and none validates."""

from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
import torch
from distill.loss_inputs import POOL
from distill.tiny_dataset import tiny_dataset

from ddcodec.datasets import Dataset
from ddcodec.datasets.base import TrainingStatistics, has_validation_part
from ddcodec.datasets.parts import validation_part
from ddcodec.distill.distill import distill
from ddcodec.distill.labels.making import validation_accuracy
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.trained import automatic_pool
from ddcodec.distill.trained.pools import make_pool
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import DataError, RecipeError
from ddcodec.evaluation.preparation import normalisation_of

CPU = torch.device("cpu")
RECIPE = Recipe(400, loss="none", images_per_class=12, fit_steps=3, hold_out=False)
"""Twelve images of each class are all that the tiny dataset has."""


def _whole() -> Dataset:
    return tiny_dataset().holding_out(False)


def test_every_row_is_learned_from() -> None:
    """None is left for the other side, and a tenth is again when it is asked for again."""
    learned, held_out = _whole().split_rows()
    assert learned.tolist() == list(range(24)) and held_out.tolist() == []
    again = _whole().holding_out(True)
    assert [len(rows) for rows in again.split_rows()] == [22, 2]
    assert tiny_dataset().holding_out(True).holds_out


def test_what_was_measured_of_a_part_is_not_taken_for_the_whole() -> None:
    """Statistics that came with a dataset are those without the validation images."""
    part = TrainingStatistics((0.1,) * 3, (0.2,) * 3, "part")
    measured = replace(tiny_dataset(), training=part)
    assert normalisation_of(measured) == ([0.1] * 3, [0.2] * 3)
    whole = measured.holding_out(False)
    images = tiny_dataset().train.images
    assert np.allclose(normalisation_of(whole)[0], (images / 255).mean((0, 2, 3)))
    assert np.array_equal(TrainingPart.of(whole).pixels, images)


def test_nothing_validates() -> None:
    """Whoever asks for held-out images is told, or gets no number."""
    assert has_validation_part(tiny_dataset()) and not has_validation_part(_whole())
    with pytest.raises(DataError, match="No training image of 'tiny' is held out"):
        validation_part(_whole())
    assert isnan(validation_accuracy(torch.nn.Identity(), _whole(), CPU))
    with pytest.raises(RecipeError, match="leave --no-hold-out out"):
        Recipe(400, labels="auto", hold_out=False)


@pytest.mark.long
def test_a_file_can_hold_every_image() -> None:
    """As many images as a class has are one too many where some are held out."""
    distilled = distill(tiny_dataset(), RECIPE)
    assert distilled.allocation.class_counts.tolist() == [12, 12]
    with pytest.raises(DataError, match="--spc"):
        distill(tiny_dataset(), replace(RECIPE, hold_out=True))


@pytest.mark.long
def test_networks_go_with_what_they_were_trained_on(tmp_path: Path) -> None:
    """A pool of all images is refused by a run that holds some out."""
    pool = tmp_path / "pool"
    make_pool(_whole(), pool, POOL, CPU, lambda _: None, lambda *_: None)
    images_of_pool = replace(RECIPE, loss="dm", pool=str(pool), joint_steps=2, validate=False)
    assert distill(tiny_dataset(), images_of_pool).size_bytes <= 800
    with pytest.raises(DataError, match="of another dataset or training part"):
        distill(tiny_dataset(), replace(images_of_pool, hold_out=True, images_per_class=2))


def test_pools_in_the_cache_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a dataset's own pool tells whether it saw all images."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path))
    monkeypatch.setattr(automatic_pool, "make_pool", lambda *_: None)
    folders = [
        automatic_pool.automatic_pool(dataset, CPU, lambda _: None)
        for dataset in (tiny_dataset(), _whole(), tiny_dataset())
    ]
    assert folders[0] == folders[2] != folders[1]

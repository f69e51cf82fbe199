"""Runs that end after a stage, and go on from it to the bytes of a run in one go."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distill.tiny_dataset import tiny_dataset

from ddcodec.cli.making import distill_options
from ddcodec.datasets.given_images import load_given_images
from ddcodec.distill.distill import distill
from ddcodec.distill.labels import making
from ddcodec.distill.recipe.recipe import OWN_TEACHER, Recipe
from ddcodec.distill.running.checkpoint import checkpoint_path
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.running.stages import (
    STAGES,
    StageEnded,
    Stages,
    begun_path,
    selected_path,
)
from ddcodec.errors import DataError, RecipeError

DATASET = tiny_dataset(per_class=12)
RECIPE = Recipe(
    bytes_per_class=500.0, init="crops", teacher=OWN_TEACHER, images_per_class=4, fit_steps=4,
    joint_steps=2, synthesis="wavelet", pool="random", labeler_epochs=2.0, multiplier=3000.0,
)  # fmt: skip
"""Without landing, which takes as long as the rest."""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))


def _run(checkpoint: Path, recipe: Recipe = RECIPE, **watch: Any) -> Distilled:
    return distill(DATASET, recipe, replace(Supervision(checkpoint=checkpoint), **watch))


def _run_until(stage: str, checkpoint: Path, recipe: Recipe = RECIPE, **watch: Any) -> str:
    with pytest.raises(StageEnded) as ended:
        _run(checkpoint, recipe, until=stage, **watch)
    assert ended.value.stage == stage
    return ended.value.left


def test_stage_by_stage(tmp_path: Path) -> None:
    """A run that ends after each stage ends in the file of one that never stops."""
    whole = _run(tmp_path / "whole.checkpoint").encoded.data
    kept = checkpoint_path(tmp_path / "x.ddc")
    notices: list[str] = []
    left = [
        _run_until(stage, kept, resume=number > 0, on_notice=notices.append)
        for number, stage in enumerate(STAGES)
    ]
    assert [Path(tmp_path / "cache/teachers").is_dir(), kept.exists()] == [True, True]
    assert left[0].startswith("a teacher in '") and left[1] == "nothing of its own"
    assert left[2] == f"'{tmp_path / 'x.ddc.selected.npz'}', 8 images as arrays"
    assert left[4] == f"refined images in '{kept}'"
    assert set(notices) == {
        "The stage 'labels' has nothing to do: labels other than a labeler follow from the images."
    }
    # A stage that is done already is not gone back to, and what is further on stays.
    assert _run_until("code", kept, resume=True) == f"coded images in '{kept}'"
    steps: list[Mapping[str, Any]] = []
    data = _run(kept, resume=True, on_record=steps.append).encoded.data
    assert data == whole
    assert {step["phase"] for step in steps if step["event"] == "step"} == {"settle"}


def test_selected_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are arrays that others read and can code, and are not looked for again."""
    kept = checkpoint_path(tmp_path / "x.ddc")
    _run_until("select", kept)
    path = selected_path(kept)
    assert path == tmp_path / "x.ddc.selected.npz"
    given = load_given_images(path)
    assert given.has_names and given.dataset.class_names == ("across", "down")
    assert given.normalisation is not None
    images = given.dataset.train.images
    assert images.shape == (8, 3, 8, 12)
    assert given.dataset.train.labels.tolist() == [0] * 4 + [1] * 4

    def refuse(*arguments: Any) -> None:
        raise AssertionError("selected anew")

    monkeypatch.setattr("ddcodec.distill.start.first_stages.image_chooser", refuse)
    done = _run(kept, resume=True)
    assert np.array_equal(done.real_images, images)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match="is not what this run selected; remove it"):
        _run(kept, resume=True)


def test_selection_that_is_gone(tmp_path: Path) -> None:
    """Images that somebody removed are selected again, the same ones."""
    kept = checkpoint_path(tmp_path / "x.ddc")
    _run_until("select", kept)
    before = np.load(selected_path(kept))["images"]
    selected_path(kept).unlink()
    _run_until("select", kept, resume=True)
    assert np.array_equal(np.load(selected_path(kept))["images"], before)


def test_nothing_to_do(tmp_path: Path) -> None:
    """A stage without work is passed over, which is said, and ends a run all the same."""
    plain = replace(RECIPE, init="random", loss="none", teacher=None)
    kept = checkpoint_path(tmp_path / "x.ddc")
    notices: list[str] = []
    assert _run_until("teacher", kept, plain, on_notice=notices.append) == "nothing of its own"
    assert notices == ["The stage 'teacher' has nothing to do: nothing in this run asks a teacher."]
    notices.clear()
    _run_until("refine", kept, plain, resume=True, on_notice=notices.append)
    assert notices[-1] == (
        "The stage 'refine' has nothing to do: there is no loss to refine images by."
    )
    whole = _run(tmp_path / "whole.checkpoint", plain)
    assert _run(kept, plain, resume=True).encoded.data == whole.encoded.data


def test_other_settings(tmp_path: Path) -> None:
    """What was begun is gone on with under its own settings only, and is checked before use."""
    kept = checkpoint_path(tmp_path / "x.ddc")
    plain = replace(RECIPE, teacher=None, init="random")
    _run_until("select", kept, plain)
    with pytest.raises(RecipeError, match=r"x\.ddc\.checkpoint\.stages' was begun with seed 0, n"):
        _run(kept, replace(plain, seed=1), resume=True)
    begun_path(kept).write_bytes(begun_path(kept).read_bytes().replace(b"seed", b"sede"))
    with pytest.raises(DataError, match=r"stages' is damaged, or of another release"):
        _run(kept, plain, resume=True)


def test_own_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is trained once, for runs of any budget, and not where nobody asks one."""
    trained: list[float] = []
    make = making._make

    def count(training: Any, *others: Any) -> None:
        trained.append(training.updates)
        make(training, *others)

    monkeypatch.setattr(making, "_make", count)
    first = _run_until("teacher", tmp_path / "a.checkpoint")
    other = replace(RECIPE, bytes_per_class=700.0, seed=3)
    assert _run_until("teacher", tmp_path / "b.checkpoint", other) == first
    left = _run_until("teacher", tmp_path / "c.checkpoint", replace(RECIPE, init="random"))
    assert left == "nothing of its own"
    # Two passes over 22 images, which are one batch.
    assert trained == [2] and len(list((tmp_path / "cache/teachers").iterdir())) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"labels": "auto"},
        {"synthesis": "search"},
        {"parameterization": "pixels", "synthesis": None},
    ],
    ids=str,
)
def test_no_stages(tmp_path: Path, settings: dict[str, Any]) -> None:
    """A row of runs has none, and neither has a run that nothing is kept of."""
    recipe = replace(RECIPE, multiplier=None, **settings)
    with pytest.raises(RecipeError, match="has no stages to end after; leave --until out"):
        _run(tmp_path / "x.checkpoint", recipe, until="select")


def test_no_checkpoint() -> None:
    """A run that nothing is kept of has nothing to go on from."""
    with pytest.raises(RecipeError, match="needs a checkpoint"):
        distill(DATASET, RECIPE, Supervision(until="code"))


def test_names_of_the_command_line() -> None:
    """`--until` takes the stages there are."""
    assert distill_options.STAGES == STAGES
    assert Stages(Supervision(), {}).phases_to_make(["start", "fit", "settle"]) is None

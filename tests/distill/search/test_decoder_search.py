"""`--synthesis search`: halving, what a trial may cost, and going on after an interrupt."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distill.tiny_dataset import tiny_dataset

from ddcodec.budget import Budget
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import EncodedFile
from ddcodec.distill.rate.allocation import allocate
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.search import decoder_search
from ddcodec.distill.search.decoder_search import DecoderSearch, distill_searched
from ddcodec.distill.search.space import DecoderSpace, Networks
from ddcodec.distill.search.trials import Trial, search_path
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import BudgetError, DataError, RecipeError, RunInterrupted
from ddcodec.kept.seal import sealed_json

DATASET = tiny_dataset(per_class=32)
PART = TrainingPart.of(DATASET)
RECIPE = Recipe(bytes_per_class=600.0, loss="none", synthesis="search", images_per_class=16)
SPACE = DecoderSpace(("wavelet", "wavelet-4"), (8, 16), (1, 2), ("all", "class"))
RUNGS = (5, 9)
USUAL = Networks("wavelet", 8, 1, "all")
"""What the budget alone would choose."""


def _search(code: decoder_search.Code, supervision: Supervision | None = None) -> DecoderSearch:
    supervision = supervision or Supervision()
    return DecoderSearch(DATASET, PART, RECIPE, code, supervision, SPACE, RUNGS, trials=9)


def _psnr(recipe: Recipe) -> float:
    """A cost that prefers refinement and wide contexts."""
    assert recipe.synthesis and recipe.context_width
    return 20.0 + len(recipe.synthesis) / 10 + recipe.context_width / 100


def _coded(recipe: Recipe) -> tuple[float, int]:
    return _psnr(recipe), 500


def test_the_best_is_found_and_the_usual_goes_along() -> None:
    """Nine candidates, of which three go on; the usual one is in both rungs."""
    found = _search(_coded).run()
    assert found.default == USUAL
    assert (found.networks.synthesis, found.networks.context_width) == ("wavelet-4", 16)
    assert [trial.rung for trial in found.trials] == [0] * 9 + [1] * 3
    assert next(trial.networks for trial in found.trials if trial.rung == 1) == USUAL
    assert found.gain == pytest.approx(0.28)
    ranked = sorted(found.trials[:9], key=lambda trial: -(trial.psnr or 0))
    assert {t.networks for t in found.trials[9:]} == {USUAL, *(t.networks for t in ranked[:2])}


def test_trials_code_all_images_into_the_whole_budget() -> None:
    """As many images as without a search, by the steps of the rung, and no loss."""
    seen: list[Recipe] = []

    def code(recipe: Recipe) -> tuple[float, int]:
        seen.append(recipe)
        return _coded(recipe)

    _search(code).run()
    assert [recipe.fit_steps for recipe in seen] == [5] * 9 + [9] * 3
    for recipe in seen:
        assert (recipe.images_per_class, recipe.bytes_per_class) == (16, RECIPE.bytes_per_class)
        assert (recipe.loss, recipe.validate, recipe.labels) == ("none", False, "hard")


def test_networks_too_large_for_the_budget_fall_out() -> None:
    """They are tried once and never chosen; where even the usual are, the search says so."""

    def too_large(synthesis: str) -> Callable[[Recipe], tuple[float, int]]:
        def code(recipe: Recipe) -> tuple[float, int]:
            if recipe.synthesis == synthesis:
                raise BudgetError("too large")
            return _coded(recipe)

        return code

    found = _search(too_large("wavelet-4")).run()
    assert found.networks.synthesis == "wavelet"
    lost = [trial for trial in found.trials if trial.psnr is None]
    assert lost and all(t.rung == 0 and t.networks.synthesis == "wavelet-4" for t in lost)
    with pytest.raises(BudgetError, match="too small to search"):
        _search(too_large("wavelet")).run()


def test_an_interrupted_search_goes_on(tmp_path: Path) -> None:
    """Trials that were kept are not made again, and the choice is the same."""
    calls: list[Recipe] = []

    def stops_after_five(recipe: Recipe) -> tuple[float, int]:
        if len(calls) == 5:
            raise RunInterrupted("stop")
        calls.append(recipe)
        return _coded(recipe)

    watched = Supervision(checkpoint=tmp_path / "x.ddc.checkpoint")
    with pytest.raises(RunInterrupted):
        _search(stops_after_five, watched).run()
    calls.clear()

    def counts_calls(recipe: Recipe) -> tuple[float, int]:
        calls.append(recipe)
        return _coded(recipe)

    found = _search(counts_calls, replace(watched, resume=True)).run()
    assert len(calls) == 12 - 5
    assert found.networks == _search(_coded).run().networks


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "damaged"),
        (b'{"settings": {}, "trials": []}', "damaged"),
        (sealed_json({"settings": {}, "trials": [{"rung": 0}]}), "damaged"),
        (sealed_json({"settings": {}, "trials": []}), "other settings"),
    ],
)
def test_kept_trials_that_are_no_use(content: bytes, message: str, tmp_path: Path) -> None:
    """Damaged ones and those of other settings are refused in a sentence."""
    checkpoint = tmp_path / "x.ddc.checkpoint"
    search_path(checkpoint).write_bytes(content)
    with pytest.raises(DataError, match=message):
        _search(_coded, Supervision(checkpoint=checkpoint, resume=True))


def test_a_space_is_sampled_without_repetition() -> None:
    """In an order of its seed; no more points than there are."""
    points = SPACE.sample(100, 0)
    assert len(points) == len(set(points)) == 16
    assert points == SPACE.sample(100, 0) != SPACE.sample(100, 1)
    assert SPACE.sample(5, 0) == points[:5]


@pytest.mark.parametrize("name", ["share", "context_width", "context_depth"])
def test_what_is_searched_cannot_be_given(name: str) -> None:
    """A recipe that fixes what a search chooses is refused."""
    value = "all" if name == "share" else 1 if name == "context_depth" else 8
    with pytest.raises(RecipeError, match="A search chooses"):
        replace(RECIPE, **{name: value})


def test_a_search_ends_in_the_file_of_what_it_found(tmp_path: Path) -> None:
    """Short files are made without a checkpoint, the last one by the recipe that was asked for."""
    data = (Path(__file__).parents[2] / "golden" / "colour.ddc").read_bytes()
    real = decode_bytes(data).images
    made: list[tuple[Recipe, Path | None]] = []

    def distill_one(recipe: Recipe, supervision: Supervision) -> Distilled:
        made.append((recipe, supervision.checkpoint))
        assert recipe.context_width
        worse = (real ^ (96 // recipe.context_width)).astype(np.uint8)
        allocation = allocate(recipe, np.array([32, 32]), PART.image_shape, 0)
        return Distilled(EncodedFile(data, {}), allocation, Budget(600, 2), 0.0, worse, 1.0)

    checkpoint = tmp_path / "x.ddc.checkpoint"
    records: list[Mapping[str, Any]] = []
    watched = Supervision(checkpoint=checkpoint, on_record=records.append)
    asked = replace(RECIPE, loss="dm", joint_steps=7)
    result = distill_searched(DATASET, PART, asked, watched, distill_one)
    assert [path for _, path in made] == [None] * (len(made) - 1) + [checkpoint]
    last = made[-1][0]
    assert (last.loss, last.joint_steps, last.bytes_per_class) == ("dm", 7, 600.0)
    fitting = [line for line in result.trials if line["psnr"] is not None]
    assert last.context_width == max(line["context_width"] for line in fitting) > 8
    assert len(result.trials) > 18 and max(line["rung"] for line in fitting) == 2
    assert [line["event"] for line in records] == ["search"] * len(result.trials)
    assert json.loads(search_path(checkpoint).read_bytes())["trials"] == list(result.trials)
    assert result.seconds >= 1.0


def test_a_trial_as_json() -> None:
    """It has the names of a recipe's settings."""
    line = Trial(USUAL, 2, 21.5, 900, 1.26).to_json()
    assert line == {"rung": 2, **asdict(USUAL), "psnr": 21.5, "size_bytes": 900, "seconds": 1.3}

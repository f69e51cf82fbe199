"""Runs that several ranks make: the bytes of one, and as many steps in each."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from distill.tiny_dataset import tiny_dataset
from threads_as_ranks import together

from ddcodec import networks
from ddcodec.distill.distill import distill
from ddcodec.distill.latents import descent
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running import loop
from ddcodec.distill.running.checkpoint import checkpoint_path
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.interruption import Interruption
from ddcodec.distill.running.progress import Progress, Supervision
from ddcodec.distill.running.stages import StageEnded, selected_path
from ddcodec.distill.trained import embedder
from ddcodec.errors import DdcError, RecipeError, RunInterrupted
from ddcodec.ranks import Ranks

BUDGET = Recipe(
    bytes_per_class=500.0,
    images_per_class=6,
    synthesis="wavelet",
    fit_steps=4,
    joint_steps=4,
    pool="random",
)
QUICK = replace(BUDGET, multiplier=3000.0)
"""Without landing, which takes as long as the rest."""


@pytest.fixture(autouse=True)
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have several looks and several batches in a set of a dozen images."""
    monkeypatch.setattr(embedder, "CHUNK_IMAGES", 5)
    monkeypatch.setitem(descent.CHUNK_LATENTS, "cpu", 1000)
    # Threads share the generator that networks are drawn from, and processes do not.
    build, lock = networks.build, threading.Lock()

    def build_alone(*arguments: Any, **settings: Any) -> networks.Classifier:
        with lock:
            return build(*arguments, **settings)

    monkeypatch.setattr(networks, "build", build_alone)


def _judge(images: Any, labels: Any) -> float:
    return float(images.mean())


def _run(ranks: Ranks, recipe: Recipe = QUICK, **watch: Any) -> Distilled:
    supervision = Supervision(validate=_judge, ranks=ranks)
    return distill(tiny_dataset(), recipe, replace(supervision, **watch))


@pytest.mark.long
@pytest.mark.parametrize(
    ("recipe", "count"),
    [(BUDGET, 2), (replace(QUICK, loss="ncfm", share="class"), 2)],
    ids=["dm on a budget", "ncfm of two sets"],
)
def test_ranks_make_what_one_makes(recipe: Recipe, count: int) -> None:
    """Every one of them ends with the very bytes, the candidate and the estimate of one."""
    (expected,) = together(1, lambda ranks: _run(ranks, recipe))
    for given in together(count, lambda ranks: _run(ranks, recipe)):
        assert given.encoded.data == expected.encoded.data
        assert given.selected_step == expected.selected_step
        assert given.estimated_bytes == expected.estimated_bytes


@pytest.mark.long
def test_work_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ranks look at as many chunks together as one does, and at half of them each."""
    looks: dict[int, int] = {}
    moves = descent.Descent.moves

    def counted(self: descent.Descent, *arguments: Any) -> descent.Moves:
        looks[self.ranks.rank] = looks.get(self.ranks.rank, 0) + 1
        return moves(self, *arguments)

    monkeypatch.setattr(descent.Descent, "moves", counted)
    together(1, _run)
    alone = looks.pop(0)
    together(2, _run)
    assert alone > 20 and looks == {0: alone // 2, 1: alone // 2}


@pytest.mark.long
def test_another_number_goes_on(tmp_path: Path) -> None:
    """A run that lost a rank is gone on with by three or by one, to the same bytes."""
    path = checkpoint_path(tmp_path / "x.ddc")
    (expected,) = together(1, _run)

    def lose(ranks: Ranks) -> Distilled:
        def kill(progress: Progress) -> None:
            if (progress.phase, progress.step) == ("joint", 3) and ranks.rank == 1:
                raise MemoryError

        return _run(ranks, checkpoint=path, checkpoint_seconds=0.0, on_progress=kill)

    with pytest.raises((MemoryError, DdcError)):
        together(2, lose)
    kept = path.read_bytes()

    def go_on(ranks: Ranks) -> Distilled:
        record = steps.append if ranks.is_first else lambda record: None
        return _run(ranks, checkpoint=path, resume=True, on_record=record)

    for count in (3, 1):
        path.write_bytes(kept)
        steps: list[Mapping[str, Any]] = []
        for given in together(count, go_on):
            assert given.encoded.data == expected.encoded.data
        assert (steps[0]["event"], steps[0]["phase"], steps[0]["step"]) == ("resume", "joint", 2)


@pytest.mark.long
def test_all_stop_after_the_same_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt that one of them hears stops all, and the first has kept the step."""
    path = checkpoint_path(tmp_path / "x.ddc")
    keep = loop.Loop._agree
    steps: list[tuple[int, str]] = []

    def interrupted(self: Any, phase: Any, step: Any, interruption: Interruption) -> None:
        is_second = self._supervision.ranks.rank == 1
        interruption.requested = is_second and (phase.name, step.step) == ("fit", 2)
        keep(self, phase, step, interruption)

    monkeypatch.setattr(loop.Loop, "_agree", interrupted)

    def work(ranks: Ranks) -> None:
        with pytest.raises(RunInterrupted, match=r"step 2 of 4 of 'fit'; .* holds the run"):
            _run(ranks, checkpoint=path, on_record=lambda record: None)
        steps.append((ranks.rank, "stopped"))

    together(2, work)
    assert len(steps) == 2 and path.exists()


def test_ranks_that_differ_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that computes something else, as on another machine, ends the job."""

    def work(ranks: Ranks) -> None:
        budget = 500.0 + 100 * ranks.rank
        message = "Process 2 of 2 found something else than the first in step 1 of 'start'"
        with pytest.raises(DdcError, match=message):
            _run(ranks, replace(BUDGET, bytes_per_class=budget))

    together(2, work)


def test_a_loss_that_is_not_shared_says_so() -> None:
    """Before the first step it is told what more processes do for it."""
    told: list[str] = []

    def notice(sentence: str) -> None:
        told.append(sentence)
        raise MemoryError

    with pytest.raises((MemoryError, DdcError)):
        together(2, lambda ranks: _run(ranks, replace(QUICK, loss="gm"), on_notice=notice))
    assert set(told) == {
        "The loss 'gm' is computed by every process: what they share is the search for changes of "
        "latents, and validation."
    }


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"labels": "auto"}, "--labels auto"),
        ({"synthesis": "search"}, "--synthesis search"),
        (
            {"parameterization": "pixels", "synthesis": None, "multiplier": None},
            "--parameterization pixels",
        ),
    ],
)
def test_what_is_of_one_process(changes: dict[str, Any], named: str) -> None:
    """Rows of runs and plain pixels are refused before any work."""
    with pytest.raises(RecipeError, match=f"{named} is the work of one process"):
        _run(Ranks(0, 2), replace(QUICK, **changes))


def test_stages_of_two_ranks(tmp_path: Path) -> None:
    """Both end after a stage, the first keeps it, and one goes on with what two have selected."""
    path = checkpoint_path(tmp_path / "x.ddc")

    def end(ranks: Ranks) -> str:
        with pytest.raises(StageEnded) as ended:
            _run(ranks, recipe, checkpoint=path, until="select")
        return ended.value.stage

    recipe = replace(QUICK, loss="none")
    assert together(2, end) == ["select", "select"]
    assert selected_path(path).exists() and not path.exists()
    (expected,) = together(1, lambda ranks: _run(ranks, recipe))
    going_on = {"checkpoint": path, "resume": True}
    for count in (2, 1):
        for given in together(count, lambda ranks: _run(ranks, recipe, **going_on)):
            assert given.encoded.data == expected.encoded.data

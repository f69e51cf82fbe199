"""Interrupted runs: resumed, they end in the very bytes of uninterrupted ones."""

import os
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.distill.distill import distill
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running import interruption
from ddcodec.distill.running.checkpoint import checkpoint_path
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.progress import Progress, Supervision
from ddcodec.errors import DataError, RecipeError, RunInterrupted

pytestmark = pytest.mark.long

CASES: dict[str, dict[str, Any]] = {
    "none": {"loss": "none"},
    "dm": {},
    "gm": {"loss": "gm", "synthesis": "wavelet"},
    "ncfm": {"loss": "ncfm", "share": "class", "bytes_per_class": 900.0},
    "pyramid": {"synthesis": "8"},
    "soft": {"quantizer": "soft"},
    "ste on noise": {"quantizer": "ste", "skip_init": True},
}


class _Killed(Exception):  # noqa: N818 - not an error
    """What stands for a power cut."""


def _recipe(**settings: Any) -> Recipe:
    defaults: dict[str, Any] = {
        "bytes_per_class": 500.0,
        "images_per_class": 6,
        "synthesis": "wavelet-4",
        "fit_steps": 16,
        "joint_steps": 9,
        "pool": "random",
    }
    return Recipe(**(defaults | settings))


def _judge(images: Any, labels: Any) -> float:
    """Judge candidates by their brightness, which is quick, and different for each."""
    return float(images.mean())


def _run(recipe: Recipe, path: Path, records: list[Mapping[str, Any]], **changes: Any) -> Distilled:
    watch = Supervision(
        on_record=records.append, validate=_judge, checkpoint=path, checkpoint_seconds=0.0
    )
    return distill(tiny_dataset(), recipe, replace(watch, **changes))


def _positions(records: list[Mapping[str, Any]]) -> list[tuple[str, int]]:
    return [(r["phase"], r["step"]) for r in records if r["event"] == "step"]


@pytest.mark.parametrize("name", CASES)
def test_resumed_run_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    """Killed after a random step and resumed, no step before the checkpoint is made again."""
    recipe = _recipe(**CASES[name])
    path = checkpoint_path(tmp_path / "x.ddc")
    whole: list[Mapping[str, Any]] = []
    expected = _run(recipe, path, whole)
    path.unlink()
    steps = _positions(whole)
    last = random.Random(name).randrange(1, len(steps))

    def kill(progress: Progress) -> None:
        counted.append(progress)
        if len(counted) > last:
            raise _Killed

    counted: list[Progress] = []
    before: list[Mapping[str, Any]] = []
    with pytest.raises(_Killed):
        _run(recipe, path, before, on_progress=kill)
    # The run must not lean on anything that lives in this process.
    torch.manual_seed(99)
    after: list[Mapping[str, Any]] = []
    result = _run(recipe, path, after, resume=True)
    assert result.encoded.data == expected.encoded.data
    assert _positions(before) + _positions(after) == steps
    assert after[0]["event"] == "resume"
    assert (after[0]["phase"], after[0]["step"]) == _positions(before)[-1]
    assert result.selected_step == expected.selected_step


def test_ctrl_c_waits_for_the_step(tmp_path: Path) -> None:
    """An interrupt keeps the step it came in, says how to go on, and leaves the handler alone."""
    path = checkpoint_path(tmp_path / "x.ddc")
    handler = signal.getsignal(signal.SIGINT)

    def interrupt(progress: Progress) -> None:
        if (progress.phase, progress.step) == ("joint", 4):
            os.kill(os.getpid(), signal.SIGINT)

    expected = _run(_recipe(), tmp_path / "other.checkpoint", [])
    with pytest.raises(
        RunInterrupted, match=r"step 4 of 9 of 'joint'; '.*x.ddc.checkpoint' .*--re"
    ):
        _run(_recipe(), path, [], on_progress=interrupt, checkpoint_seconds=1e9)
    assert signal.getsignal(signal.SIGINT) is handler
    records: list[Mapping[str, Any]] = []
    result = _run(_recipe(), path, records, resume=True)
    assert _positions(records)[0] == ("joint", 5)
    assert result.encoded.data == expected.encoded.data


@pytest.mark.parametrize(("patience", "is_said"), [(0.01, True), (60.0, False)])
def test_a_long_step_says_that_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float, is_said: bool
) -> None:
    """Once, while it is still at work; a step that is soon done says nothing of it."""
    monkeypatch.setattr(interruption, "PATIENCE_SECONDS", patience)
    said: list[str] = []

    def interrupt(progress: Progress) -> None:
        if progress.phase == "fit":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)

    with pytest.raises(RunInterrupted):
        path = tmp_path / "x.checkpoint"
        _run(_recipe(), path, [], on_progress=interrupt, on_notice=said.append)
    expected = ["Stopping when this step is done; Ctrl-C again stops at once."] if is_said else []
    assert said == expected


def test_second_interrupt_stops_at_once(tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice does not wait."""

    def interrupt(progress: Progress) -> None:
        if progress.phase == "fit":
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        _run(_recipe(), tmp_path / "x.checkpoint", [], on_progress=interrupt)


def test_changed_settings_are_refused(tmp_path: Path) -> None:
    """A checkpoint of another budget, dataset or making is named, and stays as it is."""
    path = checkpoint_path(tmp_path / "x.ddc")
    _run(_recipe(loss="none"), path, [])
    kept = path.read_bytes()
    with pytest.raises(RecipeError, match=r"begun with bytes_per_class 500.0, not 600.0"):
        _run(_recipe(loss="none", bytes_per_class=600.0), path, [], resume=True)
    with pytest.raises(RecipeError, match="begun with share the default, not all"):
        _run(_recipe(loss="none", share="all"), path, [], resume=True)
    watch = Supervision(checkpoint=path, resume=True)
    with pytest.raises(RecipeError, match="begun on other images"):
        distill(replace(tiny_dataset(), fingerprint="other"), _recipe(loss="none"), watch)
    assert path.read_bytes() == kept


@pytest.mark.parametrize("content", [b"", b"no checkpoint", "cut"])
def test_damaged_checkpoint(content: bytes | str, tmp_path: Path) -> None:
    """A file that is no checkpoint, or half of one, is one sentence."""
    path = checkpoint_path(tmp_path / "x.ddc")
    if content == "cut":
        _run(_recipe(loss="none"), path, [])
        content = path.read_bytes()[:-1000]
    assert isinstance(content, bytes)
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"checkpoint .* is damaged, or of another release; delete it"
    ):
        _run(_recipe(loss="none"), path, [], resume=True)
    path.unlink()
    with pytest.raises(DataError, match="There is no checkpoint"):
        _run(_recipe(loss="none"), path, [], resume=True)


def test_full_disk_does_not_end_the_run(tmp_path: Path) -> None:
    """Where no checkpoint can be written the run says so and goes on."""
    notices: list[str] = []
    path = tmp_path / "missing" / "x.checkpoint"
    result = _run(_recipe(loss="none"), path, [], on_notice=notices.append)
    assert result.size_bytes > 970
    assert "Cannot write to" in notices[0] and "goes on without a new checkpoint" in notices[0]


class _Favourite:
    """Prefer one candidate, by its number from 0."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self.num_images: list[int] = []

    def __call__(self, images: Any, labels: Any) -> float:
        self.num_images.append(len(images))
        return 90.0 if len(self.num_images) == self._wanted + 1 else 10.0


def test_best_candidate_is_taken(tmp_path: Path) -> None:
    """Of the start and the thirds of the joint phase the one that validation prefers is coded."""
    best: dict[int, Distilled] = {}
    for wanted in (0, 2):
        calls: list[int] = []

        def judge(
            images: Any, labels: Any, calls: list[int] = calls, wanted: int = wanted
        ) -> float:
            calls.append(len(images))
            return 90.0 if len(calls) == wanted + 1 else 10.0

        path = tmp_path / f"{wanted}.checkpoint"
        best[wanted] = _run(_recipe(), path, [], validate=judge)
        assert calls == [12] * 4
    assert [best[n].selected_step for n in (0, 2)] == [0, 6]
    assert [best[n].accuracy for n in (0, 2)] == [90.0, 90.0]
    assert best[0].encoded.data != best[2].encoded.data
    # Candidates are not asked for where nobody is to choose.
    last = _run(_recipe(validate=False), tmp_path / "x.checkpoint", [])
    assert last.selected_step is None and last.encoded.data not in (
        best[0].encoded.data,
        best[2].encoded.data,
    )

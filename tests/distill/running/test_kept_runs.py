"""Checkpoints that are damaged, made up or of another run: one sentence, never a wrong end."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.distill.distill import distill
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running.checkpoint import Checkpoint, checkpoint_path
from ddcodec.distill.running.progress import Progress, Supervision
from ddcodec.errors import DataError, RunInterrupted
from ddcodec.kept.seal import load_sealed, save_sealed

RECIPE = Recipe(
    500.0, images_per_class=2, synthesis="wavelet-4", fit_steps=8, joint_steps=4, pool="random"
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The checkpoint of a run that was interrupted in its joint phase."""
    path = checkpoint_path(tmp_path_factory.mktemp("kept") / "x.ddc")

    def interrupt(progress: Progress) -> None:
        if (progress.phase, progress.step) == ("joint", 3):
            os.kill(os.getpid(), signal.SIGINT)

    watch = Supervision(on_progress=interrupt, validate=lambda *_: 50.0, checkpoint=path)
    with pytest.raises(RunInterrupted):
        distill(tiny_dataset(), RECIPE, watch)
    return path.read_bytes()


def _resume(path: Path) -> None:
    def goes_on(progress: Progress) -> None:
        raise _GoesOn

    watch = Supervision(on_progress=goes_on, validate=lambda *_: 50.0, checkpoint=path, resume=True)
    distill(tiny_dataset(), RECIPE, watch)


class _GoesOn(Exception):  # noqa: N818 - not an error
    """A run has taken over its checkpoint."""


def test_what_was_written_is_taken(kept: bytes, tmp_path: Path) -> None:
    """The checkpoint from which the others are made up is a good one."""
    path = checkpoint_path(tmp_path / "x.ddc")
    path.write_bytes(kept)
    save_sealed(load_sealed(path), path)
    with pytest.raises(_GoesOn):
        _resume(path)


def test_flipped_bits_are_found(kept: bytes, tmp_path: Path) -> None:
    """Of forty bits anywhere in the file none goes by; nothing is changed or removed."""
    path = checkpoint_path(tmp_path / "x.ddc")
    chance = random.Random(0)
    for _ in range(40):
        damaged = bytearray(kept)
        damaged[chance.randrange(len(kept))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"x\.ddc\.checkpoint' is damaged.*delete it"):
            Checkpoint(path, {}, 60.0).load()
        assert path.read_bytes() == damaged


def _first(tensors: dict[str, Any]) -> str:
    return next(iter(tensors))


def _damage_networks(content: dict[str, Any]) -> None:
    networks = content["run"]["networks"][0]
    networks[_first(networks)] = torch.zeros(1)


def _damage_optimiser(content: dict[str, Any]) -> None:
    moments = content["phase_state"]["own"]["optimiser"]["state"]
    moments[_first(moments)]["exp_avg"] = torch.zeros(7)


def _set(*names: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for name in names[:-1]:
            content = content[name]
        content[names[-1]] = to

    return change


CRAFTED: dict[str, Callable[[dict[str, Any]], None]] = {
    "a million threads": _set("threads", to=10**6),
    "no threads": _set("threads", to=0),
    "threads as text": _set("threads", to="2"),
    "a phase after the last": _set("phase", to=9),
    "a phase before the first": _set("phase", to=-1),
    "a step that is none": _set("step", to=0.5),
    "endless time": _set("seconds", to=float("inf")),
    "settings of another kind": _set("settings", to=[]),
    "versions of another kind": _set("versions", to={"torch": 2}),
    "no state": _set("run", to={}),
    "latents of one row": _set("run", "latents", to=torch.zeros(1)),
    "latents that are no numbers": lambda content: content["run"].update(
        latents=content["run"]["latents"].detach() * float("nan")
    ),
    "latents of another type": lambda content: content["run"].update(
        latents=content["run"]["latents"].detach().double()
    ),
    "networks that broadcast": _damage_networks,
    "a multiplier as text": _set("run", "multiplier", to="300"),
    "wishes of one": _set("run", "wishes", "values", to=torch.zeros(1, 1)),
    "wishes without weights": _set("run", "wishes", "weights", to=[]),
    "a short generator": _set("run", "generator", to=torch.zeros(8, dtype=torch.uint8)),
    "counts of nothing": _set("run", "step_counts", to={"fit": -1}),
    "hints without values": _set("run", "hints", to=[[1]]),
    "hints of text": _set("run", "hints", to=[[2, "fast"]]),
    "too many hints": _set("run", "hints", to=[[2, 1]] * 65),
    "a candidate of two": _set("run", "selected", to=[1, 50.0]),
    "integers of other networks": _set("run", "quantised", to=[{}]),
    "another phase's state": _set("phase_state", to={"numbers": [1, 2], "fit": None}),
    "more steps than there are": _set("phase_state", "numbers", 0, to=10**6),
    "moments of another shape": _damage_optimiser,
    "an optimiser without groups": _set("phase_state", "own", "optimiser", "param_groups", to=[]),
    "rates of text": _set("phase_state", "own", "optimiser", "param_groups", 0, "lr", to="fast"),
    "bits of other images": _set("phase_state", "own", "image_bits", to=torch.zeros(3)),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_checkpoints_are_refused(name: str, kept: bytes, tmp_path: Path) -> None:
    """What somebody made up, its checksum included, is one sentence before anything is done."""
    path = checkpoint_path(tmp_path / "x.ddc")
    path.write_bytes(kept)
    content = load_sealed(path)
    CRAFTED[name](content)
    save_sealed(content, path)
    threads = torch.get_num_threads()
    with pytest.raises(DataError, match=r"x\.ddc\.checkpoint'.*delete it and begin again"):
        _resume(path)
    assert torch.get_num_threads() == threads


def test_another_release_is_named(kept: bytes, tmp_path: Path) -> None:
    """A checkpoint of another version says which release goes on with it."""
    path = checkpoint_path(tmp_path / "x.ddc")
    path.write_bytes(kept)
    save_sealed({**load_sealed(path), "version": 99}, path)
    with pytest.raises(DataError, match=r"of another release; go on with ddcodec \d"):
        Checkpoint(path, {}, 60.0).load()

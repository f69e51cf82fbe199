"""Stages of a run: where it may end to be gone on with later, and what it leaves for that.

Networks are kept in the cache or a folder of their own, chosen images as `.npz` beside the output,
and everything from phase 1 on in the checkpoint. What says that a run has begun before there is a
checkpoint is a small file of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ddcodec.distill.running.checkpoint import SUFFIX, compare_settings
from ddcodec.distill.running.progress import Supervision
from ddcodec.errors import DataError
from ddcodec.kept.seal import sealed_json, unsealed_json
from ddcodec.kept.writing import atomic_file, discard, write_atomically

if TYPE_CHECKING:
    from ddcodec.distill.trained.training_part import TrainingPart

TEACHER, LABELS, SELECT, CODE, REFINE = "teacher", "labels", "select", "code", "refine"
STAGES = (TEACHER, LABELS, SELECT, CODE, REFINE)
"""In their order: a labeler's bytes decide how many images are selected."""

BEFORE_PHASES = (TEACHER, LABELS, SELECT)
"""Stages that end before there is anything for a checkpoint."""

_NEXT_PHASES = {CODE: ("joint", "settle"), REFINE: ("settle",)}
"""Names of the phases one of which follows a stage."""

SELECTED, BEGUN = ".selected.npz", ".stages"
_VERSION = 1
_CHUNK = 2**20


class StageEnded(Exception):  # noqa: N818 - not an error
    """A run ended after the stage it was asked to end after.

    Attributes:
        stage: one of `STAGES`.
        left: a phrase on what it leaves.
    """

    def __init__(self, stage: str, left: str) -> None:
        super().__init__(stage)
        self.stage, self.left = stage, left


def selected_path(checkpoint: Path) -> Path:
    """Return where the images are that a run has selected, beside its output."""
    return checkpoint.with_name(checkpoint.name.removesuffix(SUFFIX) + SELECTED)


def begun_path(checkpoint: Path) -> Path:
    """Return the file that says which run was begun, while it has no checkpoint."""
    return checkpoint.with_name(checkpoint.name + BEGUN)


class Stages:
    """End a run where it was asked to end, and find again what its stages left.

    Args:
        supervision: of the run.
        settings: that a run which goes on has to agree with, of JSON types.

    Raises:
        DataError: what was kept is damaged.
        RecipeError: it is of other settings.
    """

    def __init__(self, supervision: Supervision, settings: Mapping[str, Any]) -> None:
        self._supervision = supervision
        self._settings = json.loads(json.dumps(dict(settings)))
        self._selection: str | None = None
        kept = supervision.checkpoint
        if kept is not None and supervision.resume and begun_path(kept).exists():
            self._read(begun_path(kept))

    @property
    def supervision(self) -> Supervision:
        """That of the phases: where a run was begun and has no checkpoint, they start."""
        own, kept = self._supervision, self._supervision.checkpoint
        if kept is None or not own.resume or kept.exists() or not begun_path(kept).exists():
            return own
        return replace(own, resume=False)

    def phases_to_make(self, names: Sequence[str]) -> int | None:
        """Return how many of the phases, by their names, a run makes before it ends, or None."""
        until = self._supervision.until
        if until not in _NEXT_PHASES:
            return None
        return next(number for number, name in enumerate(names) if name in _NEXT_PHASES[until])

    def ended(self, stage: str, left: str) -> None:
        """Say that a stage is done.

        Args:
            stage: one of `STAGES`.
            left: a phrase on what it leaves.

        Raises:
            StageEnded: if the run is to end here.
            OutputError: if it is, and cannot be kept.
        """
        if stage != self._supervision.until:
            return
        if stage in BEFORE_PHASES:
            self._keep()
        raise StageEnded(stage, left)

    def passed_over(self, stage: str, reason: str) -> None:
        """Say that a stage has nothing to do, if the run is to end after it or later.

        Raises:
            StageEnded: if the run is to end here.
            OutputError: if it is, and cannot be kept.
        """
        until = self._supervision.until
        if until is None or STAGES.index(stage) > STAGES.index(until):
            return
        self._supervision.on_notice(f"The stage '{stage}' has nothing to do: {reason}.")
        self.ended(stage, "nothing of its own")

    def kept_selection(self, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
        """Return the images that this run selected before, or None if there are none any more.

        Args:
            shape: N × C × H × W that they have.

        Raises:
            DataError: they are no longer what was written.
        """
        kept = self._supervision.checkpoint
        if kept is None or self._selection is None or not selected_path(kept).exists():
            return None
        path = selected_path(kept)
        if _digest(path) != self._selection:
            raise DataError(
                f"'{path}' is not what this run selected; remove it to select anew, or code it as "
                "it is with 'ddc encode'."
            )
        with np.load(path, allow_pickle=False) as arrays:
            images: NDArray[np.uint8] = arrays["images"]
        if images.shape != shape or images.dtype != np.uint8:
            raise DataError(f"'{path}' does not fit this run; remove it to select anew.")
        return images

    def selected(
        self,
        images: NDArray[np.uint8],
        counts: NDArray[np.int64],
        class_names: tuple[str, ...],
        part: TrainingPart,
    ) -> None:
        """Write the images that were selected if the run is to end with them.

        Args:
            images: N × C × H × W, sorted by class.
            counts: of each class.
            class_names: of all classes.
            part: they were selected from.

        Raises:
            StageEnded: if the run is to end here.
            OutputError: if it is, and they cannot be written.
        """
        kept = self._supervision.checkpoint
        if self._supervision.until != SELECT or kept is None:
            return
        path = selected_path(kept)
        if self._supervision.ranks.is_first and (self._selection is None or not path.exists()):
            with atomic_file(path) as partial, partial.open("wb") as stream:
                np.savez(
                    stream,
                    images=images,
                    labels=np.repeat(np.arange(len(counts)), counts),
                    class_names=np.array(class_names),
                    mean=np.array(part.mean),
                    std=np.array(part.std),
                )
            self._selection = _digest(path)
        self.ended(SELECT, f"'{path}', {len(images)} images as arrays")

    def _keep(self) -> None:
        kept = self._supervision.checkpoint
        if kept is None or not self._supervision.ranks.is_first:
            return
        facts = {"version": _VERSION, "settings": self._settings, "selection": self._selection}
        write_atomically(sealed_json(facts), begun_path(kept))
        if not self._supervision.resume:
            # Of another run, which --force replaces.
            discard(kept)

    def _read(self, path: Path) -> None:
        try:
            facts = unsealed_json(path.read_bytes())
            settings, self._selection = dict(facts["settings"]), facts["selection"]
            if facts["version"] != _VERSION:
                raise ValueError("of another release")
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise DataError(
                f"'{path}' is damaged, or of another release; delete it and begin again."
            ) from error
        compare_settings(path, settings, self._settings)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()

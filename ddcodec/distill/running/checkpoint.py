"""A run on disk: all that its next step depends on, written whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ddcodec.errors import DataError, RecipeError
from ddcodec.kept.seal import load_sealed, save_sealed
from ddcodec.kept.state import checked_count, checked_threads
from ddcodec.version import __version__

VERSION = 4
"""Raised whenever the same settings would go on differently from what is kept."""

DATASET = "dataset"
SUFFIX = ".checkpoint"


def checkpoint_path(output: Path) -> Path:
    """Return where the run that makes a file is kept."""
    return output.with_name(output.name + SUFFIX)


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds.

    Attributes:
        settings: of the run, by name; see `Checkpoint`.
        versions: of the libraries it was written with.
        threads: that torch computed with.
        phase: number of the current phase.
        step: that was its last.
        run: `Run.state`.
        phase_state: `Phase.state` of the current phase.
        seconds: that the run had taken.
    """

    settings: dict[str, Any]
    versions: dict[str, str]
    threads: int
    phase: int
    step: int
    run: dict[str, Any]
    phase_state: dict[str, Any]
    seconds: float


class Checkpoint:
    """The file of one run.

    Args:
        path: where it is kept.
        settings: everything the result depends on, of JSON types, by the names a user knows.
        every_seconds: how often it is due.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], every_seconds: float) -> None:
        self.path = path
        self._settings = dict(settings)
        self._every_seconds = every_seconds
        self._written = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last writing is long enough ago."""
        return time.monotonic() - self._written >= self._every_seconds

    def save(
        self,
        phase: int,
        step: int,
        run: dict[str, Any],
        phase_state: dict[str, Any],
        seconds: float,
    ) -> None:
        """Write the state of a run, replacing the one before; see `Saved` for the arguments.

        Raises:
            OutputError: if it cannot be written; the one before is then left as it was.
        """
        # Counted from the attempt: a full disk is not to be asked after every step.
        self._written = time.monotonic()
        content = {
            "version": VERSION,
            "settings": self._settings,
            "versions": _versions(),
            "threads": torch.get_num_threads(),
            "phase": phase,
            "step": step,
            "run": run,
            "phase_state": phase_state,
            "seconds": seconds,
        }
        save_sealed(content, self.path)

    def load(self) -> Saved:
        """Read the state of a run that has these settings.

        Raises:
            DataError: if there is none or it is damaged.
            RecipeError: if it was begun with other settings.
        """
        if not self.path.exists():
            raise DataError(f"There is no checkpoint '{self.path}'; leave --resume out to begin.")
        try:
            content = load_sealed(self.path)
            version, versions = content.pop("version"), content["versions"]
            saved = Saved(**content) if version == VERSION else None
            if saved is not None:
                _check(saved)
        except (DataError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"The checkpoint '{self.path}' is damaged, or of another release; delete it and "
                "begin again."
            ) from error
        if saved is None:
            raise DataError(
                f"The checkpoint '{self.path}' is of another release; go on with ddcodec "
                f"{versions.get('ddcodec', '?')}, or delete it and begin again."
            )
        compare_settings(self.path, saved.settings, self._settings)
        return saved

    def strange(self) -> DataError:
        """Return what is raised where a state fits the settings, and yet not the run."""
        return DataError(
            f"The checkpoint '{self.path}' does not fit the run it says it is of; delete it and "
            "begin again."
        )


def compare_settings(path: Path, saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with a run of other settings.

    Args:
        path: where it is kept.
        saved: settings it was begun with, by name.
        wanted: those it is to go on with.

    Raises:
        RecipeError: if they differ.
    """
    for name in {**saved, **wanted}:
        before, now = saved.get(name), wanted.get(name)
        if before == now:
            continue
        if name == DATASET:
            raise RecipeError(
                f"The run in '{path}' was begun on other images; name the same dataset, or start "
                "anew with --force."
            )
        raise RecipeError(
            f"The run in '{path}' was begun with {name} {_shown(before)}, not {_shown(now)}; give "
            "the same settings, or start anew with --force."
        )


def version_difference(saved: Saved) -> str | None:
    """Return a sentence on libraries that differ from those a run was begun with, or None."""
    now = _versions()
    different = [name for name, version in saved.versions.items() if now.get(name) != version]
    if not different:
        return None
    name = different[0]
    return (
        f"The run was begun with {name} {saved.versions[name]} and goes on with {now.get(name)}; "
        "its result may differ from an uninterrupted one."
    )


def _check(saved: Saved) -> None:
    """Refuse what no run has written: types, and numbers out of range."""
    checked_threads(saved.threads)
    checked_count(saved.phase)
    checked_count(saved.step)
    for value in (saved.settings, saved.versions, saved.run, saved.phase_state):
        if not isinstance(value, dict):
            raise ValueError("no dictionary")
    if not all(isinstance(text, str) for text in saved.versions.values()):
        raise ValueError("versions are text")
    if not 0 <= saved.seconds < 1e12:
        raise ValueError(f"{saved.seconds} seconds")


def _versions() -> dict[str, str]:
    return {"ddcodec": __version__, "torch": str(torch.__version__)}


def _shown(value: Any) -> str:
    return "the default" if value is None else f"{value}"

"""A network in training, kept beside what it is to become, so that a killed command goes on."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any, Protocol

import torch

from ddcodec.errors import DataError, OutputError
from ddcodec.kept.notices import notify
from ddcodec.kept.seal import load_sealed, save_sealed
from ddcodec.kept.state import checked_threads
from ddcodec.kept.writing import discard

EVERY_SECONDS = 60.0


class Resumable(Protocol):
    """What is trained update by update."""

    def state(self) -> dict[str, Any]:
        """Return everything that updates change."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was called; something is raised for a state that does not fit."""


class KeptTraining:
    """The file of one network while it is trained.

    Args:
        path: Of the file.
        is_cached: Whether nobody named its folder: a damaged one is then passed over with a word,
            and refused otherwise.
    """

    def __init__(self, path: Path, is_cached: bool) -> None:
        self._path, self._is_cached = path, is_cached
        self._written = time.monotonic()

    def resume(self, training: Resumable) -> None:
        """Bring a training to where it was kept, by as many threads; leave it alone without a file.

        Raises:
            DataError: The file is damaged, and somebody named its folder.
        """
        if not self._path.exists():
            return
        before = copy.deepcopy(training.state())
        try:
            saved = load_sealed(self._path)
            threads = checked_threads(saved["threads"])
            training.restore(saved["training"])
        except Exception as error:
            # What somebody made up goes wrong in many ways.
            if not self._is_cached:
                raise DataError(f"'{self._path}' is damaged; delete it to begin again.") from error
            notify(f"'{self._path}' is damaged; the training begins again.")
            training.restore(before)
            return
        # Sums that are split among other threads round differently.
        torch.set_num_threads(threads)

    def keep_now_and_then(self, training: Resumable) -> None:
        """Write the file if the last one, or the beginning, is long enough ago."""
        if time.monotonic() - self._written < EVERY_SECONDS:
            return
        content = {"threads": torch.get_num_threads(), "training": training.state()}
        try:
            save_sealed(content, self._path)
        except OutputError as error:
            # What has been trained is worth more than that it can be gone on with.
            notify(f"{error} The training goes on and is not kept.")
        self._written = time.monotonic()

    def forget(self) -> None:
        """Delete the file of a training that is over."""
        discard(self._path)

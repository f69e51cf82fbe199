"""The progress of networks in training, and where they are kept meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ddcodec.cli.shared.console import ProgressReport
from ddcodec.cli.shared.group import Interrupted
from ddcodec.errors import DataError

if TYPE_CHECKING:
    from ddcodec.evaluation import EvaluationProgress
    from ddcodec.evaluation.students.unfinished import UnfinishedNetworks


_LABELS = {"hard": "hard labels", "soft": "soft labels", "labeler": "labels by the labeler"}


@contextmanager
def unfinished_networks() -> Iterator[UnfinishedNetworks | None]:
    """Keep networks in training in the cache folder until the context is left without an error.

    Without a home folder nothing is kept.

    Raises:
        Interrupted: Ctrl-C was pressed and something is kept.
    """
    from ddcodec.datasets import default_cache_dir
    from ddcodec.evaluation.students.unfinished import EVERY_SECONDS, FOLDER, UnfinishedNetworks

    try:
        unfinished = UnfinishedNetworks(default_cache_dir() / FOLDER, EVERY_SECONDS)
    except DataError:
        yield None
        return
    try:
        yield unfinished
    except KeyboardInterrupt as error:
        if not unfinished.are_kept:
            raise
        sentence = "Interrupted; the same command goes on from what was kept"
        raise Interrupted(f"{sentence}, at most {EVERY_SECONDS:.0f} seconds ago.") from error
    unfinished.forget()


def show_on(report: ProgressReport, what: str) -> Callable[[EvaluationProgress], None]:
    """Return what shows the progress of some networks."""
    started, found, last = time.monotonic(), 0.0, 0.0

    def show(progress: EvaluationProgress) -> None:
        nonlocal started, found, last
        done = (progress.network + progress.update / progress.updates) / progress.networks
        if done < last:
            # The same networks again, with all labels.
            started, found = time.monotonic(), 0.0
        count = f"network {progress.network + 1}/{progress.networks}"
        name = f"{what}, {_LABELS[progress.label_mode]}, {count}"
        if progress.accuracy is not None:
            # What an interrupted evaluation has found so far.
            report.notice(f"{name}: {progress.accuracy:.2f} %")
            return
        if progress.update and progress.loss is None:
            report.notice(
                f"{name} goes on from update {progress.update:,} of {progress.updates:,}, "
                "where it was interrupted."
            )
            started, found = time.monotonic(), done
        last = done
        elapsed, made = time.monotonic() - started, done - found
        report.update(
            name,
            progress.update,
            progress.updates,
            "" if progress.loss is None else f"loss {progress.loss:.4g}",
            elapsed * (1 - done) / made if made > 0 else None,
        )

    return show

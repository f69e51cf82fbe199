"""What a run tells while it works: to a person, to a log, and to whoever has to stop it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ddcodec.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from ddcodec.training_set import TrainingSet


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        phase: `pool …`, `crops`, `start`, `fit`, `joint` or `settle`.
        step, steps: of this phase; step 0 is what the phase found.
        rate_bytes: estimated size of the file now; None before there is one.
        budget_bytes: the limit.
        loss: the utility's loss, per image outside `joint`; None where none is computed.
        seconds_left: of this phase; None before its first step.
        multiplier: λ; None before there is one.
        accuracy: of the last validation in percent; None before the first one.
        images_per_second: synthetic images worked on; None where they are not counted.
    """

    phase: str
    step: int
    steps: int
    rate_bytes: float | None
    budget_bytes: int
    loss: float | None
    seconds_left: float | None
    multiplier: float | None = None
    accuracy: float | None = None
    images_per_second: float | None = None


ProgressCallback = Callable[[Progress], None]

Validate = Callable[[NDArray[np.uint8], NDArray[np.int64]], float]
"""(images N×C×H×W, labels N) → percentage of validation images that a network trained on them
classifies as labelled; a function of its arguments."""


def _ignore(what: Any) -> None:
    """Do nothing."""


JudgeFile = Callable[["TrainingSet"], float]
"""Training set of a file → the same percentage, of networks trained with all labels it has."""


@dataclass(frozen=True)
class Supervision:
    """Who watches a run; nothing here changes its result but where it ends.

    Attributes:
        on_progress: called after every step.
        on_phase: called with the name of a phase before its first step, which may take minutes.
        on_record: called with every record of the log (docs/cli.md, `ddc plot`), of JSON types.
        on_notice: called with a sentence that a person should read.
        validate: judges candidates on images that are not trained on; None takes the last one.
        judge_file: chooses among files with different kinds of labels; None refuses to.
        checkpoint: file to keep the run in; None keeps nothing.
        resume: go on from the checkpoint.
        checkpoint_seconds: how often it is written.
        until: stage of `stages.STAGES` after which the run ends; needs a checkpoint. None makes
            the file.
        ranks: processes that make the file together; the first alone keeps the run, and all read
            what is kept.
    """

    on_progress: ProgressCallback = _ignore
    on_phase: Callable[[str], None] = _ignore
    on_record: Callable[[Mapping[str, Any]], None] = _ignore
    on_notice: Callable[[str], None] = _ignore
    validate: Validate | None = None
    judge_file: JudgeFile | None = None
    checkpoint: Path | None = None
    resume: bool = False
    checkpoint_seconds: float = 60.0
    ranks: Ranks = ALONE
    until: str | None = None

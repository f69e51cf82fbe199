"""Short fits that a search has made, and how they are kept while it goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ddcodec.codec.encode import write_atomically
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.search.space import Networks
from ddcodec.errors import DataError

SUFFIX = ".search"


@dataclass(frozen=True)
class Trial:
    """A short fit and what came of it.

    Attributes:
        networks: The point of the space.
        rung: Its number.
        psnr: In dB over all pixels; None where the networks alone exceed the budget.
        size_bytes: Of the file.
        seconds: That it took.
    """

    networks: Networks
    rung: int
    psnr: float | None
    size_bytes: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the trial as it stands in logs and records."""
        return {"rung": self.rung, **asdict(self.networks), "psnr": self.psnr,
                "size_bytes": self.size_bytes, "seconds": round(self.seconds, 1)}  # fmt: skip


def search_path(checkpoint: Path) -> Path:
    """Return where finished trials of a run are kept."""
    return checkpoint.with_name(checkpoint.name + SUFFIX)


class KeptTrials:
    """Finished trials on disk, so that an interrupted search goes on.

    Args:
        supervision: Whose checkpoint they lie beside, if there is one.
        settings: That they depend on.
    """

    def __init__(self, supervision: Supervision, settings: dict[str, Any]) -> None:
        kept = supervision.checkpoint
        self._path = None if kept is None else search_path(kept)
        self._settings = json.loads(json.dumps(settings))
        self._trials: list[Trial] = []
        if self._path is not None and supervision.resume and self._path.exists():
            self._trials = self._read(self._path)

    def find(self, networks: Networks, rung: int) -> Trial | None:
        """Return a trial that was made before."""
        same = (t for t in self._trials if (t.networks, t.rung) == (networks, rung))
        return next(same, None)

    def add(self, trial: Trial) -> None:
        """Keep a trial."""
        self._trials.append(trial)
        if self._path is not None:
            kept = {"settings": self._settings, "trials": [t.to_json() for t in self._trials]}
            write_atomically(json.dumps(kept).encode(), self._path)

    def _read(self, path: Path) -> list[Trial]:
        try:
            kept = json.loads(path.read_bytes())
            settings = kept["settings"]
            trials = [_trial_of(dict(line)) for line in kept["trials"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"'{path}' is damaged; remove it to search anew.") from error
        if settings != self._settings:
            raise DataError(f"'{path}' is of a search with other settings; remove it.")
        return trials


def _trial_of(line: dict[str, Any]) -> Trial:
    networks = Networks(**{name: line.pop(name) for name in Networks.__dataclass_fields__})
    return Trial(networks, **line)

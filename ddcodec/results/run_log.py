"""The log of a run: JSON lines, written as the run goes and read back to draw its curves.

Needs the standard library only. The records are described in docs/cli.md.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Any

from ddcodec.errors import DataError, OutputError

START, STEP, VALIDATION = "start", "step", "validation"
CHECKPOINT, RESUME, FINISH = "checkpoint", "resume", "finish"

Record = dict[str, Any]

_NUMBER = (int, float)
_BEGINNING = b'{"event"'


class RunLog:
    """Append records to a log, each written before the run goes on.

    What is in the file stays, but for a last line that a kill has cut short; to start anew, delete
    the file first.

    Raises:
        OutputError: if the file cannot be written, or holds something else than a log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            size = _length_of_lines(path)
            # Unbuffered: a line reaches the file in one call, at once.
            self._stream = path.open("ab", buffering=0)
            self._stream.truncate(size)
        except OSError as error:
            raise self._cannot_write(error) from error

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record; numbers that are not finite become null.

        Raises:
            OutputError: if the disk takes no more.
        """
        values = {name: _finite(value) for name, value in record.items()}
        line = (json.dumps(values, allow_nan=False) + "\n").encode()
        try:
            # A disk that is nearly full takes a part without a word.
            if self._stream.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._cannot_write(error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError(f"Cannot write the log '{self._path}': {error.strerror}.")


@dataclass(frozen=True)
class LoggedStep:
    """One step of a run.

    Attributes:
        phase: `pool …`, `start`, `fit`, `joint` or `settle`.
        step: counts from 1 in each phase.
        rate_bytes: estimated size of the file; None before there is one.
        loss: None where none is computed.
        multiplier: λ, or None.
        seconds: wall-clock time since the start, all parts of an interrupted run together.
    """

    phase: str
    step: int
    rate_bytes: float | None
    loss: float | None
    multiplier: float | None
    seconds: float


@dataclass(frozen=True)
class LoggedValidation:
    """An accuracy on validation images.

    Attributes:
        index: number of steps in the log before it.
        accuracy: in per cent.
        seconds: as in `LoggedStep`.
    """

    index: int
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class LoggedRun:
    """What a log says about one run, repetitions after a resume left out.

    Attributes:
        budget_bytes: None where the log does not have its start.
        steps: in order.
        validations: in order.
        size_bytes: of the finished file, or None.
    """

    budget_bytes: int | None
    steps: tuple[LoggedStep, ...]
    validations: tuple[LoggedValidation, ...]
    size_bytes: int | None


def read_log(path: Path) -> LoggedRun:
    """Read a log.

    Where a run was resumed, what was logged after its checkpoint is taken back; without a record
    of the checkpoint, later records replace earlier ones of the same phase and step.

    Raises:
        DataError: if the file cannot be read, is no log, or has a damaged line other than a last
            one that was cut short.
    """
    records = list(_read_records(path))
    if not records:
        raise DataError(f"'{path}' is empty; name a log written by 'ddc distill --log'.")
    steps: list[LoggedStep] = []
    validations: list[LoggedValidation] = []
    budget_bytes = size_bytes = None
    for record in _without_repetitions(records):
        if record["event"] == START:
            budget_bytes = int(record["budget_bytes"])
        elif record["event"] == FINISH:
            size_bytes = int(record["size_bytes"])
        elif record["event"] == STEP:
            fields: dict[str, Any] = {name: record.get(name) for name in _STEP_FIELDS}
            steps.append(LoggedStep(**fields))
        elif record["event"] == VALIDATION:
            accuracy, seconds = record["accuracy"], record["seconds"]
            validations.append(LoggedValidation(len(steps), accuracy, seconds))
    return LoggedRun(budget_bytes, tuple(steps), tuple(validations), size_bytes)


_FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    START: {"budget_bytes": _NUMBER},
    STEP: {"phase": (str,), "step": (int,)},
    VALIDATION: {"phase": (str,), "step": (int,), "accuracy": _NUMBER},
    CHECKPOINT: {"phase": (str,), "step": (int,)},
    RESUME: {"phase": (str,), "step": (int,)},
    FINISH: {"size_bytes": (int,)},
}
"""What a record must have, besides `event` and `seconds`; other events are left alone."""

_MAY_BE_NULL = ("rate_bytes", "loss", "multiplier")
_STEP_FIELDS = ("phase", "step", *_MAY_BE_NULL, "seconds")
_LARGEST = 1e300


def _read_records(path: Path) -> Iterator[Record]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read the log '{path}': {error.strerror}.") from error
    lines = data.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line and number == len(lines):
            return
        try:
            record = _parse(line)
        except ValueError as error:
            if number == 1:
                raise DataError(
                    f"'{path}' is not a log; name one written by 'ddc distill --log'."
                ) from error
            if number == len(lines):
                return
            raise DataError(
                f"Line {number} of '{path}' is damaged: {error}; mend or delete it."
            ) from error
        yield record


def _parse(line: bytes) -> Record:
    """Read one record; raises ValueError."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(record, dict) or not isinstance(record.get("event"), str):
        raise ValueError("it has no event")
    wanted = _FIELDS.get(record["event"])
    if wanted is None:
        return record
    for name, types in ({"seconds": _NUMBER} | wanted).items():
        if not _is(record.get(name), types):
            raise ValueError(f"'{name}' is missing or of the wrong type")
    for name in _MAY_BE_NULL:
        if record.get(name) is not None and not _is(record[name], _NUMBER):
            raise ValueError(f"'{name}' is not a number")
    return record


def _without_repetitions(records: list[Record]) -> list[Record]:
    kept: list[Record] = []
    for number, record in enumerate(records):
        if record["event"] == START:
            kept.clear()
        if record["event"] == RESUME:
            kept = _rewound(kept, record, records[number + 1 :])
        kept.append(record)
    return kept


def _rewound(before: list[Record], resume: Record, after: list[Record]) -> list[Record]:
    """Return the records that a resumed run does not repeat."""
    for index in reversed(range(len(before))):
        record = before[index]
        if record["event"] == CHECKPOINT and _place(record) == _place(resume):
            return before[: index + 1]
    repeated = {(record["event"], *_place(record)) for record in after}
    return [
        record
        for record in before
        if record["event"] in (START, CHECKPOINT, RESUME)
        or (record["event"], *_place(record)) not in repeated
    ]


def _place(record: Record) -> tuple[Any, Any]:
    return record.get("phase"), record.get("step")


def _length_of_lines(path: Path) -> int:
    """Return how long a log is without a last line that was cut short; 0 where there is none."""
    if path.exists() and not path.is_file():
        raise OutputError(f"'{path}' is not a file; name another with --log.")
    data = path.read_bytes() if path.exists() else b""
    first = data.partition(b"\n")[0]
    begins = first.startswith(_BEGINNING) or (first and _BEGINNING.startswith(first))
    if data and not begins:
        raise OutputError(f"'{path}' exists and is not a log; name another file with --log.")
    return data.rfind(b"\n") + 1


def _is(value: Any, types: tuple[type, ...]) -> bool:
    if isinstance(value, bool) or not isinstance(value, types):
        return False
    return not isinstance(value, int | float) or abs(value) < _LARGEST


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value

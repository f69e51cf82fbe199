"""What a person sees: progress bars, tables, times and sizes; the only file that knows rich."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from ddcodec.format.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PLAIN_LINE_SECONDS = 5.0
"""How often a progress line is printed where there is no terminal."""

_PLAIN_WIDTH = 200

Row = tuple[str, ...]


def print_facts(rows: Sequence[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {printable(value)}")


def print_table(
    columns: Sequence[str], rows: Sequence[Row], total: Row | None = None, left: int = 1
) -> None:
    """Print a table: the first `left` columns are text, the others numbers; any total below."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_footer=total is not None, pad_edge=False)
    for index, name in enumerate(columns):
        justify: Literal["left", "right"] = "left" if index < left else "right"
        table.add_column(
            Text(name), Text(total[index] if total else ""), justify=justify, no_wrap=True
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _console(sys.stdout.isatty()).print(table)


def format_duration(seconds: float) -> str:
    """Write a time such as `7.4 s`, `42 s`, `3:05` or `1:02:03`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str], None]]:
    """Say what is going on; yields a function that says it anew, as often as one likes."""
    if not sys.stderr.isatty():
        # What is quick needs no line of its own.
        line = _later(1.0, what)
        try:
            yield _every(PLAIN_LINE_SECONDS)
        finally:
            line.cancel()
        return
    with _console(terminal=True, stderr=True).status(printable(what)) as status:
        yield lambda text: status.update(printable(text))


def _later(seconds: float, text: str) -> threading.Timer:
    """Print a line after some time, unless the timer is cancelled before."""
    line = threading.Timer(seconds, lambda: print(text, file=sys.stderr, flush=True))
    line.daemon = True
    line.start()
    return line


def _every(seconds: float) -> Callable[[str], None]:
    """Return a function that prints a line unless it has been called shortly before."""
    last = time.monotonic()

    def say(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            print(printable(text), file=sys.stderr, flush=True)

    return say


class ProgressReport:
    """Show how far a long command is: a bar on a terminal, else a line every few seconds.

    Use it as a context manager and call `update`.
    """

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._bar: Progress | None = None
        self._last_line = 0.0
        self._last_phase = ""
        self._late: threading.Timer | None = None

    def __enter__(self) -> ProgressReport:
        if self._is_terminal:
            self._bar = _progress_bar()
            self._bar.start()
            self._task = self._bar.add_task("", total=None, details="", left="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cancel_late()
        if self._bar is not None:
            self._bar.stop()

    def notice(self, sentence: str) -> None:
        """Print a sentence that stays, above the bar."""
        if self._bar is not None:
            self._bar.console.print(printable(sentence))
            return
        print(f"ddc: {printable(sentence)}", file=sys.stderr, flush=True)

    def begin(self, phase: str) -> None:
        """Show that a phase prepares its first step; without a terminal only if that takes long."""
        self._cancel_late()
        if self._bar is not None:
            self._bar.update(
                self._task, description=phase, completed=0, total=None, details="preparing", left=""
            )
            return
        self._late = _later(PLAIN_LINE_SECONDS, f"{phase}  preparing")

    def _cancel_late(self) -> None:
        if self._late is not None:
            self._late.cancel()

    def update(
        self, phase: str, step: int, steps: int, details: str, seconds_left: float | None
    ) -> None:
        """Show the state of a phase; `step` counts from 1 to `steps`, 0 is before the first."""
        self._cancel_late()
        left = "" if seconds_left is None else f"{format_duration(seconds_left)} left"
        if self._bar is not None:
            self._bar.update(
                self._task, description=phase, completed=step, total=steps,
                details=details, left=left,
            )  # fmt: skip
            return
        now = time.monotonic()
        if phase == self._last_phase and now - self._last_line < PLAIN_LINE_SECONDS:
            return
        self._last_line, self._last_phase = now, phase
        print(f"{phase}  {step}/{steps}  {details}  {left}", file=sys.stderr, flush=True)


def _progress_bar() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[details]}", markup=False),
        TextColumn("{task.fields[left]}", markup=False),
        console=_console(terminal=True, stderr=True),
        refresh_per_second=4,
        transient=True,
    )


def _console(terminal: bool, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(
        stderr=stderr,
        highlight=False,
        markup=False,
        emoji=False,
        # Without a terminal nothing is gained by wrapping.
        width=None if terminal else _PLAIN_WIDTH,
    )

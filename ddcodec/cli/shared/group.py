"""The group of commands: every failure becomes one sentence and an exit code."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from ddcodec.errors import DdcError, RecipeError, RunInterrupted
from ddcodec.format.printable import printable
from ddcodec.ranks import HandedOver, asked

FAILURE, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes: data or files, usage, Ctrl-C."""

SHARED_BY_RANKS = ("experts", "pool", "distill", "eval")
"""Commands that several processes of `torchrun` do together."""

SHOW_TRACEBACK = "DDC_TRACEBACK"
"""Environment variable that lets errors through, for whoever looks for a bug."""


class SentenceGroup(click.Group):
    """A click group that lists commands as they were added and never shows a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work, not of the alphabet."""
        return list(self.commands)

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> int:
        """Run and return the exit code, or leave with it where click would."""
        code = self._run(args, prog_name, complete_var, extra)
        if standalone_mode:
            sys.exit(code)
        return code

    def _run(
        self,
        args: Sequence[str] | None,
        prog_name: str | None,
        complete_var: str | None,
        extra: dict[str, Any],
    ) -> int:
        try:
            result = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            # Leaving a command early hands its exit code through; commands return nothing.
            return result if isinstance(result, int) else 0
        except BrokenPipeError:
            raise
        except BaseException as error:
            if os.environ.get(SHOW_TRACEBACK) or isinstance(error, SystemExit):
                raise
            sentence, code = describe(error)
            if not _is_told_elsewhere(error):
                click.echo(f"ddc: {printable(sentence)}", err=True)
            return code

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an interrupt gets past click, which would say `Aborted!`."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted from error


class Interrupted(Exception):  # noqa: N818 - not an error
    """Ctrl-C was pressed; the message, if any, says what is left of the work."""


def describe(error: BaseException) -> tuple[str, int]:
    """Return the sentence and the exit code of an error."""
    if isinstance(error, Interrupted | RunInterrupted | KeyboardInterrupt | click.Abort):
        return str(error) or "Interrupted; no output was written.", INTERRUPTED
    if isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx is not None else "ddc"
        return f"{_one_line(error.format_message())} Try '{where} --help'.", USAGE
    if isinstance(error, click.ClickException):
        return _one_line(error.format_message()), error.exit_code
    if isinstance(error, DdcError):
        return _one_line(str(error)), USAGE if isinstance(error, RecipeError) else FAILURE
    if isinstance(error, OSError):
        what = f"'{error.filename}': " if error.filename else ""
        reason = os.strerror(errno.ENOSPC) if error.errno == errno.ENOSPC else error.strerror
        return f"{what}{reason or error}.", FAILURE
    if isinstance(error, MemoryError):
        return "There is not enough memory for this.", FAILURE
    return (
        f"This is a bug in ddc, sorry: {type(error).__name__}: {_one_line(str(error))} "
        f"(set {SHOW_TRACEBACK}=1 to see where).",
        FAILURE,
    )


@contextlib.contextmanager
def told_once() -> Iterator[None]:
    """Let the first process of a job alone say what all of them find wrong with their command."""
    try:
        yield
    except DdcError as error:
        if asked().is_first:
            raise
        raise HandedOver(str(error)) from error


def _is_told_elsewhere(error: BaseException) -> bool:
    """Tell whether another process of the job prints the same, or a better, sentence."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        with contextlib.suppress(RecipeError):
            return error.ctx.info_name in SHARED_BY_RANKS and not asked().is_first
    return isinstance(error, HandedOver)


def silence_stdout() -> None:
    """Send what is left of the output nowhere: whoever read it has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line[:1].upper() + line[1:]

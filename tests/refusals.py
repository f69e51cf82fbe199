"""What every command does with wrong input."""

import re

from click.testing import Result

PROGRESS = ("Loading ", "Reading ", "Testing ")
"""How lines begin that a slow machine is told; others, of steps, end with the time left."""


def fails(result: Result, code: int, *patterns: str) -> None:
    """Check for an exit code, nothing on stdout, and one sentence on stderr with all patterns."""
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    assert isinstance(result.exception, SystemExit | None)
    assert result.stdout == "" and "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if not _is_progress(line)]
    assert len(lines) == 1 and lines[0].startswith("ddc: "), result.stderr
    for pattern in patterns:
        assert re.search(pattern, lines[0]), lines[0]


def _is_progress(line: str) -> bool:
    return line.startswith(PROGRESS) or line.endswith(" left")

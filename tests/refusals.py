"""What every command does with wrong input."""

import re

from click.testing import Result

PROGRESS = ("Loading ", "Reading ", "Testing ")
"""How lines begin that a slow machine is told; nothing has been trained then."""


def fails(result: Result, code: int, *patterns: str, after_steps: bool = False) -> None:
    """Check for an exit code, nothing on stdout, and one sentence on stderr with all patterns.

    Lines on steps stand before it only where it comes `after_steps`.
    """
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    assert isinstance(result.exception, SystemExit | None)
    assert result.stdout == "" and "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if not line.startswith(PROGRESS)]
    if after_steps:
        lines = [line for line in lines if not line.endswith(" left")]
    assert len(lines) == 1 and lines[0].startswith("ddc: "), result.stderr
    for pattern in patterns:
        assert re.search(pattern, lines[0]), lines[0]

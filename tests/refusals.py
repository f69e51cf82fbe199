"""What every command does with wrong input."""

import re

from click.testing import Result

PROGRESS = ("Loading ", "Reading ", "Testing ")
"""How lines begin that a slow machine is told; nothing has been trained then."""

READ = re.compile(r"ddc: .*: [\d,]+ classes, [\d,]+ training images \(")
"""What a command says of the data it has read; notes on them may follow."""


def fails(result: Result, code: int, *patterns: str, after_steps: bool = False) -> None:
    """Check for an exit code, nothing on stdout, and one sentence on stderr with all patterns.

    What was read of the user's data may stand before it, lines on steps only where it comes
    `after_steps`.
    """
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    assert isinstance(result.exception, SystemExit | None)
    assert result.stdout == "" and "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if not line.startswith(PROGRESS)]
    if after_steps:
        lines = [line for line in lines if not line.endswith(" left")]
    if lines and READ.match(lines[0]):
        assert all(line.startswith("ddc: ") for line in lines), result.stderr
        del lines[:-1]
    assert len(lines) == 1 and lines[0].startswith("ddc: "), result.stderr
    for pattern in patterns:
        assert re.search(pattern, lines[0]), lines[0]

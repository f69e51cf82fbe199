"""Clocks may jump: nothing that is made, kept or gone on with looks at the time of day."""

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "ddcodec"
TIME_OF_DAY = re.compile(
    r"\btime\.time|\bdatetime\b(?! import timedelta\n)|\blocaltime|\bgmtime|\bstrftime"
)
MAY = {"evaluation/students/unfinished.py"}
"""Deletes networks of evaluations long given up; by their own times, too (its tests)."""


def test_only_one_file_asks_for_the_time_of_day() -> None:
    """All others measure durations, by a clock that nobody sets."""
    asking = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if TIME_OF_DAY.search(path.read_text(encoding="utf-8"))
    }
    assert asking == MAY

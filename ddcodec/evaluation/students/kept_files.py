"""Files that spare work the next time; without them the work is done again."""

import contextlib
from pathlib import Path

from ddcodec.errors import OutputError
from ddcodec.kept.writing import write_atomically


def keep(data: bytes, path: Path) -> None:
    """Write a file whole or not at all, and its folder where there is none.

    A disk that is full or cannot be written is no reason to stop: nothing is kept then.
    """
    with contextlib.suppress(OSError, OutputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(data, path)

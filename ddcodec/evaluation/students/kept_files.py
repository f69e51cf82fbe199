"""Files that spare work the next time; without them the work is done again."""

import contextlib
import os
import tempfile
from pathlib import Path


def keep(data: bytes, path: Path) -> None:
    """Write a file whole or not at all, and its folder where there is none.

    A disk that is full or cannot be written is no reason to stop: nothing is kept then.
    """
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

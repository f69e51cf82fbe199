"""Results on disk: written completely or not at all, and nothing of the user's lost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddcodec.errors import OutputError
from ddcodec.kept.writing import check_name


def check_output(path: Path, force: bool, option: str = "-o") -> None:
    """Check that a file can be written, before the work starts.

    Args:
        path: of the file.
        force: whether it may replace another.
        option: which one names it.

    Raises:
        OutputError: if it exists and may not be replaced, or its folder cannot be written.
    """
    with writing(path):
        check_parent(path)
        check_name(path)
        if path.is_dir():
            raise OutputError(f"'{path}' is a folder; name a file with {option}.")
        if path.exists() and not force:
            raise exists(path, option)


def exists(path: Path, option: str = "-o") -> OutputError:
    """Return what is raised where something is in the way."""
    return OutputError(f"'{path}' exists; replace it with --force or name another with {option}.")


def check_parent(path: Path) -> None:
    """Check that the folder a result goes to exists and can be written, by writing.

    Raises:
        OutputError: if it does not exist.
        OSError: if it cannot be written.
    """
    parent = path.resolve().parent
    if not parent.is_dir():
        raise OutputError(f"There is no folder '{path.parent}' to write '{path.name}' to.")
    with tempfile.TemporaryFile(dir=parent):
        pass


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure to write into the sentence that names the output.

    Raises:
        OutputError: in place of an OSError, or of a ValueError because of a zero byte.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"Cannot write '{path}': {error.strerror or error}.") from error
    except ValueError as error:
        if "\0" not in str(path):
            raise
        raise OutputError(f"Cannot write '{path}': it is not a path.") from error

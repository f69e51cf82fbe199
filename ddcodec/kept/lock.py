"""One process at a time: locks that end with the process, however it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddcodec.errors import OutputError

fcntl: Any
try:
    import fcntl
except ImportError:  # pragma: no cover - there it is the open file that cannot be deleted
    fcntl = None

Waiting = Callable[[str], None]
"""Called with a sentence before another process is waited for."""


def lock_path(path: Path) -> Path:
    """Return the file that shows that somebody is at work on an output."""
    return path.with_name(f".{path.name}.lock")


@contextmanager
def only_one(path: Path, what: str, on_wait: Waiting | None = None) -> Iterator[None]:
    """Hold the lock of an output while the context lasts.

    A lock that a killed process left is taken over. Where the disk knows no locks there are none.

    Args:
        path: of the output, a file or a folder; its lock stands beside it.
        what: the output, for the sentence.
        on_wait: Wait for the other process and say so; None refuses.

    Raises:
        OutputError: if another process holds it, or the folder cannot be written.
    """
    lock = lock_path(path)
    handle = _acquired(lock, what, on_wait)
    try:
        yield
    finally:
        # While it is held still: who waits for it sees that it is gone and makes a new one.
        if os.name != "nt":
            lock.unlink(missing_ok=True)
        os.close(handle)
        if os.name == "nt":  # pragma: no cover
            with contextlib.suppress(OSError):
                lock.unlink()


def claim(handle: int, wait: bool = False) -> bool:
    """Take the lock of an open file or folder; return False where another process has it."""
    if fcntl is None:  # pragma: no cover
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        # Some network disks know no locks.
        return True
    return True


def is_abandoned(path: Path) -> bool:
    """Tell whether no process has claimed a file or folder that is not complete."""
    if fcntl is None:  # pragma: no cover
        return False
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return claim(handle)
    finally:
        os.close(handle)


def _acquired(lock: Path, what: str, on_wait: Waiting | None) -> int:
    """Return the open lock file, which is there under its name and held."""
    while True:
        handle = _opened(lock)
        if not claim(handle):
            holder = _holder(handle)
            if on_wait is None:
                os.close(handle)
                raise OutputError(
                    f"Another ddc{holder} is at work on {what}; wait for it, or name another "
                    "output with -o."
                )
            on_wait(f"Waiting for another ddc{holder}, which is at work on {what}.")
            claim(handle, wait=True)
        if _is_there(handle, lock):
            os.ftruncate(handle, 0)
            with contextlib.suppress(OSError):
                os.write(handle, f"{os.getpid()}\n".encode())
            return handle
        os.close(handle)


def _opened(lock: Path) -> int:
    try:
        if fcntl is None:  # pragma: no cover
            # Here a file that somebody has open cannot be deleted, and one left behind can.
            with contextlib.suppress(FileNotFoundError):
                lock.unlink()
        return os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(f"Cannot write to '{lock.parent}': {error.strerror}.") from error


def _is_there(handle: int, lock: Path) -> bool:
    """Tell whether an open file still has its name: its holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(handle), lock.stat())
    except OSError:
        return False


def _holder(handle: int) -> str:
    text = os.pread(handle, 32, 0).decode("ascii", errors="replace").strip()
    return f" (process {text})" if text.isdecimal() else ""

"""Read a hostile file in a process of its own, with a limit, and say what became of it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ddcodec.errors import DdcError

LIMIT_BYTES = 4 << 30
LIMIT_SECONDS = 60

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@dataclass(frozen=True)
class Outcome:
    """What reading a file came to.

    Attributes:
        message: of the error that the package raised, or empty where it read the file.
        fault: of any other error its end, or what stopped it; empty where there was none.
        peak_bytes: most memory that it took beyond what the process had.
        seconds: it took.
    """

    message: str
    fault: str
    peak_bytes: int
    seconds: float


def outcome(
    read: Callable[[], object], limit_bytes: int = LIMIT_BYTES, limit_seconds: int = LIMIT_SECONDS
) -> Outcome:
    """Call `read` in a forked process that may take no more than the limits."""
    # Memory that was freed here would be handed out there, uncounted.
    results, to_results = os.pipe()
    child = os.fork()
    if not child:
        os.close(results)
        with os.fdopen(to_results, "w") as stream:
            signal.alarm(limit_seconds)
            with contextlib.suppress(BaseException):
                json.dump(_measured(read, limit_bytes), stream)
        os._exit(0)
    os.close(to_results)
    started = time.monotonic()
    with os.fdopen(results) as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    if not text:
        what = f"stopped by signal {status} after {time.monotonic() - started:.0f} s"
        return Outcome("", what, 0, time.monotonic() - started)
    return Outcome(**json.loads(text))


def _measured(read: Callable[[], object], limit_bytes: int) -> dict[str, object]:
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    most = _status("VmSize") + limit_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    message = fault = ""
    started = time.monotonic()
    try:
        read()
    except DdcError as error:
        message = str(error)
    except BaseException:
        fault = traceback.format_exc()[-600:]
    seconds = time.monotonic() - started
    peak_bytes = max(0, _status("VmHWM") - before)
    return {"message": message, "fault": fault, "peak_bytes": peak_bytes, "seconds": seconds}


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))

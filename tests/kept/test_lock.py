"""One process at a time, whatever becomes of the other."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ddcodec.errors import OutputError
from ddcodec.kept.lock import lock_path, only_one

HOLD = """
import sys, time
from pathlib import Path
from ddcodec.kept.lock import only_one
with only_one(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    time.sleep(60)
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lock of a path."""
    words = [sys.executable, "-c", HOLD, str(path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_the_second_process_is_told(tmp_path: Path) -> None:
    """Its sentence names the process; a killed one leaves nothing that lasts."""
    path = tmp_path / "x.ddc"
    process = _holder(path)
    try:
        with (
            pytest.raises(OutputError, match=rf"process {process.pid}\) is at work on 'x'"),
            only_one(path, "'x'"),
        ):
            pytest.fail("two at once")
        assert lock_path(path).read_text() == f"{process.pid}\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert lock_path(path).exists()
    with only_one(path, "'x'"):
        assert lock_path(path).read_text() == f"{os.getpid()}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_waited_for(tmp_path: Path) -> None:
    """Where nobody named the folder the second goes on when the first is done, and says so."""
    path, said, order = tmp_path / "pool", list[str](), list[str]()

    def second() -> None:
        with only_one(path, "it", said.append):
            order.append("second")

    with only_one(path, "it"):
        thread = threading.Thread(target=second)
        thread.start()
        while not said:
            time.sleep(0.001)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert said[0].startswith(f"Waiting for another ddc (process {os.getpid()})")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_lock(tmp_path: Path) -> None:
    """A missing folder is one sentence."""
    with pytest.raises(OutputError, match="Cannot write to"), only_one(tmp_path / "a" / "b", "it"):
        pytest.fail("there is no folder")

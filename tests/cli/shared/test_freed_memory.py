"""Freed memory is kept where glibc allocates, unless the environment says otherwise."""

import os
import subprocess
import sys

import pytest

from ddcodec.cli.shared.freed_memory import LARGEST_KEPT_BLOCK_BYTES

BLOCK_BYTES = LARGEST_KEPT_BLOCK_BYTES * 3 // 4
TIMES = 8
PROGRAM = f"""
import ctypes, resource
from ddcodec.cli.shared.freed_memory import keep_freed_memory
keep_freed_memory()
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({TIMES}):
    block = ctypes.c_void_p(c.malloc(ctypes.c_size_t({BLOCK_BYTES})))
    c.memset(block, 1, ctypes.c_size_t({BLOCK_BYTES}))
    c.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

glibc_only = pytest.mark.skipif(
    sys.platform != "linux" or "glibc" not in os.confstr("CS_GNU_LIBC_VERSION"),
    reason="only glibc is told anything",
)


def _page_faults(**settings: str) -> int:
    """Return the page faults of taking and freeing a block again and again, in a new process."""
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    plain = {name: value for name, value in os.environ.items() if name not in names}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**plain, **settings}, capture_output=True, check=True
    )
    return int(run.stdout)


@glibc_only
def test_a_block_is_cleared_once() -> None:
    """A block that is taken again and again costs its page faults once; the environment wins."""
    assert 2 * _page_faults() < _page_faults(MALLOC_MMAP_THRESHOLD_="4096")

"""Keep memory that was freed, in place of handing it back and having it cleared again."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

# Numbers of mallopt(3), which glibc keeps stable.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3

LARGEST_KEPT_BLOCK_BYTES = 1 << 26
LARGEST_KEPT_BYTES = 1 << 30

_CHOSEN_BY_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> None:
    """Have glibc keep freed blocks of up to 64 MiB, up to 1 GiB in all, where it is the allocator.

    Every update of a network makes and drops the same activations of some megabytes. By default
    each goes back to the system, which clears its pages when they come again: a tenth of the CPU
    time of `ddc eval` where that was measured (docs/results/speed.md). Settings in the environment
    win.
    """
    if sys.platform != "linux" or any(name in os.environ for name in _CHOSEN_BY_USER):
        return
    # Another C library has no such function, or ignores what it does not know.
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, LARGEST_KEPT_BLOCK_BYTES)
        mallopt(_TRIM_THRESHOLD, LARGEST_KEPT_BYTES)

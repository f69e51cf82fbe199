"""Glyphs drawn by several processes, each a part of the images of a file that is there already."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ddcodec.datasets.sources.glyph_drawing import draw_into

_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from ddcodec.datasets.sources.glyph_processes import draw_blocks
draw_blocks(*json.loads(sys.argv[2]))
"""
"""A process of its own, not a fork or a spawn: it neither inherits locks of threads nor runs the
program of whoever loads a dataset once more."""


def draw_in_processes(
    images: Path,
    names: tuple[str, ...],
    seed: int,
    block: int,
    processes: int,
    on_drawn: Callable[[int], None],
) -> bool:
    """Fill an array with glyphs, image n with the number n mod their count.

    Args:
        images: an .npy of uint8 N×3×32×32, written in place.
        names: numbers to be drawn.
        seed: of the sequence; see `generate_glyphs`.
        block: images drawn between two reports.
        processes: how many draw.
        on_drawn: called with how many images are drawn.

    Returns:
        Whether all are drawn: False where a process cannot be started or fails.
    """
    if not sys.executable:
        return False
    given = [str(images), names, seed, block]
    drawn: queue.Queue[int | None] = queue.Queue()
    running: list[subprocess.Popen[str]] = []
    try:
        for number in range(processes):
            try:
                running.append(_started(json.dumps([*given, number, processes])))
            except OSError:
                return False
            threading.Thread(target=_listen, args=(running[-1], drawn), daemon=True).start()
        total, ended = 0, 0
        while ended < processes:
            count = drawn.get()
            if count is None:
                ended += 1
            else:
                total += count
                on_drawn(total)
        return all(process.wait() == 0 for process in running)
    finally:
        for process in running:
            process.kill()
            process.wait()


def _started(arguments: str) -> subprocess.Popen[str]:
    # Isolated, with the paths of this process: nothing that lies in the working folder is imported.
    command = [sys.executable, "-I", "-c", _CODE, json.dumps(sys.path), arguments]
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.Popen(command, stdin=null, stdout=pipe, stderr=null, text=True)


def _listen(process: subprocess.Popen[str], drawn: queue.Queue[int | None]) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            drawn.put(int(line))
    drawn.put(None)


def draw_blocks(
    images: str, names: list[str], seed: int, block: int, number: int, processes: int
) -> None:
    """Draw every block whose turn it is, and print how many images each has."""
    array = np.load(images, mmap_mode="r+")
    for start in range(number * block, len(array), processes * block):
        stop = min(start + block, len(array))
        draw_into(array[start:stop], names, seed, start)
        print(stop - start, flush=True)
    array.flush()

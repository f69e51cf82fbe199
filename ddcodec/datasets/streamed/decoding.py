"""Decode many image files by several threads, holding few of them at a time."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.trees.image import MAX_RESIZED_PIXELS

FILES_PER_THREAD = 8
"""Files that wait for each thread at most."""


@dataclass(frozen=True)
class EncodedImage:
    """An image file in memory.

    Attributes:
        number: what whoever asked for it calls it.
        path: named in messages.
        data: the bytes of the file.
        area: pixels that it says it has.
    """

    number: int
    path: str
    data: bytes
    area: int


Decode = Callable[[EncodedImage], NDArray[np.uint8]]
Put = Callable[[EncodedImage, NDArray[np.uint8]], None]


def usable_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def decode_each(files: Iterable[EncodedImage], decode: Decode, put: Put, threads: int) -> None:
    """Decode files, and hand each with its pixels to `put`, in their order and by this thread.

    Files that are being decoded have together no more pixels, and no more bytes, than one may have
    pixels, so that memory is that of one large image or of many small ones. Raises what `decode`
    does, for the first file that it happens with.
    """
    if threads <= 1:
        for file in files:
            put(file, decode(file))
        return
    # Changed once and by this thread: what keeps warnings back is one for the whole process.
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.simplefilter("ignore")
        for file, pixels in _in_flight(files, decode, pool, threads * FILES_PER_THREAD):
            put(file, pixels)


def _in_flight(
    files: Iterable[EncodedImage], decode: Decode, pool: ThreadPoolExecutor, most_files: int
) -> Iterator[tuple[EncodedImage, NDArray[np.uint8]]]:
    waiting: deque[tuple[EncodedImage, Future[NDArray[np.uint8]]]] = deque()
    area = size = 0
    for file in files:
        area, size = area + file.area, size + len(file.data)
        while waiting and (len(waiting) >= most_files or max(area, size) > MAX_RESIZED_PIXELS):
            first, future = waiting.popleft()
            area, size = area - first.area, size - len(first.data)
            yield first, future.result()
        waiting.append((file, pool.submit(decode, file)))
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()

"""Decoding by several threads: in order, few at a time, and failing as one thread does."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from ddcodec.datasets.streamed.decoding import EncodedImage, decode_each
from ddcodec.datasets.trees.image import MAX_RESIZED_PIXELS
from ddcodec.errors import DataError


def files(count: int, area: int = 1) -> Iterator[EncodedImage]:
    """Yield files with a byte each."""
    for number in range(count):
        yield EncodedImage(number, f"{number}.png", bytes([number]), area)


def pixels_of(file: EncodedImage) -> np.ndarray:
    """Return the byte of a file as its pixels."""
    return np.frombuffer(file.data, dtype=np.uint8)


@pytest.mark.parametrize("threads", [1, 3])
def test_order(threads: int) -> None:
    """What is put comes in the order of the files, by the thread that asked."""
    put: list[tuple[int, int]] = []
    asking = threading.get_ident()

    def keep(file: EncodedImage, pixels: np.ndarray) -> None:
        assert threading.get_ident() == asking
        put.append((file.number, int(pixels[0])))

    decode_each(files(100), pixels_of, keep, threads)
    assert put == [(number, number) for number in range(100)]


def test_large_images_are_decoded_alone() -> None:
    """Images of a third of the most pixels are held three at a time, whatever the threads."""
    lock, held, most = threading.Lock(), [0], [0]

    def taken() -> Iterator[EncodedImage]:
        for file in files(30, area=MAX_RESIZED_PIXELS // 3):
            with lock:
                held[0] += 1
                most[0] = max(most[0], held[0])
            yield file

    def put(file: EncodedImage, pixels: np.ndarray) -> None:
        with lock:
            held[0] -= 1

    decode_each(taken(), pixels_of, put, 8)
    # Three in flight, and the one that waits for room.
    assert most == [4]


@pytest.mark.parametrize("threads", [1, 4])
def test_the_first_failure_counts(threads: int) -> None:
    """What a thread raises is raised here, for the first file in order."""

    def decode(file: EncodedImage) -> np.ndarray:
        if file.number in (7, 8):
            raise DataError(f"'{file.path}' is broken.")
        return pixels_of(file)

    done: list[int] = []
    with pytest.raises(DataError, match=r"7\.png"):
        decode_each(files(20), decode, lambda file, pixels: done.append(file.number), threads)
    assert done == list(range(7))

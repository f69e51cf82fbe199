"""Payloads told anew: the decoder's own walk asks for symbols, and gets those of a file, disturbed.

Flipped payload bits end the decoding within a few symbols. Here the walk over a header, which may
be another than the file's, is answered from the symbols of the file, and what was answered is coded
under the tables that the walk asked for: a payload that decodes to exactly these symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.checksum import content_checksum
from ddcodec.codec.decode import render_exact
from ddcodec.codec.stream import Content, walk
from ddcodec.entropy.range_coder import RangeDecoder, RangeEncoder
from ddcodec.format.header import Header

Integers = NDArray[np.int64]
Tape = dict[int, list[Integers]]
"""What a file answered, by the number of values that were possible; 0 stands for a table."""

TABLE = 0
NUM_SYMBOLS = 32
BIT_LENGTHS = 18
"""How many lengths the rest of an escaped number may have."""


class RecordingDecoder(RangeDecoder):
    """A decoder that remembers what it read, and how often it was asked."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload)
        self.tape: Tape = {}
        self.num_calls = 0

    def uniform(self, values: Integers | None, size: int, count: int) -> Integers:
        """Decode and remember."""
        return self._remember(size, super().uniform(values, size, count))

    def table(self, indices: Integers | None, rows: Integers) -> Integers:
        """Decode and remember."""
        return self._remember(TABLE, super().table(indices, rows))

    def _remember(self, key: int, values: Integers) -> Integers:
        if len(values):
            self.num_calls += 1
            self.tape.setdefault(key, []).append(values)
        return values


class Stop(Exception):  # noqa: N818 - not an error
    """The payload ends here, whatever symbols its header still asks for."""


class RewritingEncoder(RangeEncoder):
    """An encoder that makes up what it is asked to code.

    Args:
        answer: returns the values for (possible values or `TABLE`, how many of them).
    """

    def __init__(self, answer: Callable[[int, int], Integers]) -> None:
        super().__init__()
        self._answer = answer

    def uniform(self, values: Integers | None, size: int, count: int) -> Integers:
        """Encode values made up and return them."""
        told = self._answer(size, count) if count else np.zeros(0, dtype=np.int64)
        return super().uniform(told, size, count)

    def table(self, indices: Integers | None, rows: Integers) -> Integers:
        """Encode table indices made up and return them."""
        told = self._answer(TABLE, len(rows)) if len(rows) else np.zeros(0, dtype=np.int64)
        return super().table(told, rows)


class Disturbed:
    """Answers from a tape, a few of them disturbed.

    Args:
        tape: of a file.
        rng: source of every choice.
        targets: numbers of the calls that are disturbed.
        wild_tensor: number of the tensor, from 1, all of which is disturbed; −1 for none.
        end: number of the call at which the payload ends.
    """

    def __init__(
        self, tape: Tape, rng: Random, targets: set[int], wild_tensor: int, end: int
    ) -> None:
        self._queues = {key: iter(answers) for key, answers in tape.items()}
        self._rng, self._targets, self._end = rng, targets, end
        self._wild_tensor = wild_tensor
        self._call, self._tensors = -1, 0

    def __call__(self, key: int, count: int) -> Integers:
        """Return values that are possible."""
        self._call += 1
        if self._call >= self._end:
            raise Stop
        self._tensors += begins_tensor(key, count)
        size = key or NUM_SYMBOLS
        known = next(self._queues.get(key, iter(())), None)
        values = self._made_up(size, count) if known is None else np.resize(known, count) % size
        if self._tensors == self._wild_tensor:
            if key == BIT_LENGTHS:  # longer ones leave the range of a number
                return np.full(count, self._rng.choice((0, 15, 15, 15)), dtype=np.int64)
            return self._disturb(values, size, kind=self._rng.choice((0, 1, 1, 4)))
        if self._call in self._targets:
            return self._disturb(values, size, kind=self._rng.randrange(7))
        return values

    def _made_up(self, size: int, count: int) -> Integers:
        if self._rng.random() < 0.5:
            return np.full(count, self._rng.choice((0, size - 1, size // 2)), dtype=np.int64)
        if count > 1 and self._rng.random() < 0.7:
            return self._adding_up(size - 1, count)
        return _drawn(self._rng, size, count)

    def _adding_up(self, total: int, count: int) -> Integers:
        """Return numbers of that sum, as class counts must be."""
        cuts = sorted(self._rng.randint(0, total) for _ in range(count - 1))
        return np.diff(np.array([0, *cuts, total], dtype=np.int64))

    def _disturb(self, values: Integers, size: int, kind: int) -> Integers:
        values = values.copy()
        where = self._rng.randrange(len(values))
        if kind == 0:
            values[:] = 0
        elif kind == 1:
            values[:] = size - 1
        elif kind == 2:
            values[where] = size - 1
        elif kind == 3:
            values[where] = self._rng.randrange(size)
        elif kind == 4:
            values = _drawn(self._rng, size, len(values))
        elif kind == 5:
            values[where:] = size - 1
        else:
            values[where] = (values[where] + 1) % size
        return values


class Cheap:
    """Answers that make every latent cost next to nothing: weights of 0, the smallest scale.

    Args:
        context_depth: of the header, by which the bias that sets the scale is found.
        most_values: numbers answered until the payload ends.
    """

    def __init__(self, context_depth: int, most_values: int) -> None:
        self._scale_tensor = 2 * context_depth + 2
        self._left = most_values
        self._tensors = 0

    def __call__(self, key: int, count: int) -> Integers:
        """Return values that are possible."""
        self._left -= count
        if self._left < 0:
            raise Stop
        self._tensors += begins_tensor(key, count)
        values = np.zeros(count, dtype=np.int64)
        if key == 2 and not self._tensors:
            values[:] = 1  # all classes are of equal size
        elif key == TABLE and self._tensors == self._scale_tensor:
            values[1::2] = 9  # the residual −5: eight scales each
        elif key == 64 and count == 1:
            values[:] = 40 if self._tensors == self._scale_tensor else 0
        return values


def begins_tensor(key: int, count: int) -> bool:
    """Return whether one of 13 step exponents is asked for, with which every tensor begins."""
    return key == 13 and count == 1


def record(header: Header, payload: bytes) -> tuple[Tape, int]:
    """Return what a valid file answers, and to how many questions."""
    coder = RecordingDecoder(payload)
    walk(coder, header, None)
    return coder.tape, coder.num_calls


def retold(header: Header, answer: Callable[[int, int], Integers]) -> tuple[bytes, Content | None]:
    """Return a payload of the answers, and its content where the walk came to its end."""
    coder = RewritingEncoder(answer)
    content = None
    # Whatever ends this walk ends that of the decoder, which is judged for it.
    with suppress(Exception):
        content = walk(coder, header, None)
    return coder.payload(), content


def crc_of(header: Header, content: Content) -> int:
    """Return the content checksum, or 0 where the content cannot be drawn."""
    with suppress(Exception):
        return content_checksum(header, content, render_exact(header, content))
    return 0


def _drawn(rng: Random, size: int, count: int) -> Integers:
    draws = np.frombuffer(rng.randbytes(4 * count), dtype="<u4").astype(np.int64)
    return draws % size

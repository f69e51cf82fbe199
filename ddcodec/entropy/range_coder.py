"""The arithmetic coder: one object with the same two calls in both directions.

`uniform` and `table` return their argument when encoding and what they read when decoding, so a
single walk over the symbols serves both (design, section 3). This is the only file that imports
constriction. Its state is 64 bits wide and it reads and writes 32-bit words.
"""

from collections.abc import Iterator
from typing import Protocol

import constriction
import numpy as np
from numpy.typing import NDArray

from ddcodec.entropy.tables import PRECISION_BITS, laplace_bits, laplace_frequencies
from ddcodec.errors import FormatError

Integers = NDArray[np.int64]

_queue = constriction.stream.queue
_model = constriction.stream.model


def _entries_minus_one() -> NDArray[np.float32]:
    # A fast categorical model gives every symbol one count and shares out the rest in proportion;
    # entries that sum to 2^24 − 32 make that proportion exactly 1. All fit float32 exactly.
    return (laplace_frequencies() - 1).astype(np.float32)


# Table rows are gathered for this many symbols at a time: 128 bytes each, so that they stay in
# cache. The stream does not depend on it.
CHUNK_SYMBOLS = 8192


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK_SYMBOLS) for start in range(0, count, CHUNK_SYMBOLS))


class Coder(Protocol):
    """What a walk over the symbols needs, whichever way it goes."""

    bits: float
    """Information content of all symbols so far, in bits."""

    def uniform(self, values: Integers | None, size: int, count: int) -> Integers:
        """Code `count` integers of 0 … size−1, all equally likely; size ≤ 2^24."""
        ...

    def table(self, indices: Integers | None, rows: Integers) -> Integers:
        """Code one table index (0 … 31) for each row of the Laplace tables."""
        ...


class _Tally:
    """Adds up information content; shared by both directions."""

    def __init__(self) -> None:
        self.bits = 0.0
        self._entries = _entries_minus_one()
        self._bits = laplace_bits().reshape(-1)
        self._family = _model.Categorical(perfect=False)

    def _count_uniform(self, values: Integers, size: int) -> None:
        share = (1 << PRECISION_BITS) // size
        last = (1 << PRECISION_BITS) - share * (size - 1)
        num_last = int(np.count_nonzero(values == size - 1))
        self.bits += (len(values) - num_last) * (PRECISION_BITS - float(np.log2(share)))
        self.bits += num_last * (PRECISION_BITS - float(np.log2(last)))

    def _count_table(self, indices: Integers, rows: Integers) -> None:
        self.bits += float(self._bits.take(rows * self._entries.shape[1] + indices).sum())


class RangeEncoder(_Tally):
    """Turn integers into 32-bit words."""

    def __init__(self) -> None:
        super().__init__()
        self._coder = _queue.RangeEncoder()

    def uniform(self, values: Integers | None, size: int, count: int) -> Integers:
        """Encode `values`, int64 in 0 … size−1, and return them."""
        if values is None or len(values) != count:
            raise ValueError("an encoder needs the values it codes")
        if count and not (values.min() >= 0 and values.max() < size):
            raise ValueError(f"a value lies outside 0 … {size - 1}")
        if count and size > 1:
            self._coder.encode(values.astype(np.int32), _model.Uniform(size))
            self._count_uniform(values, size)
        return values

    def table(self, indices: Integers | None, rows: Integers) -> Integers:
        """Encode `indices`, int64 in 0 … 31, under the tables named by `rows`; return them."""
        if indices is None or indices.shape != rows.shape:
            raise ValueError("an encoder needs one index for each row")
        for part in _parts(len(rows)):
            entries = self._entries.take(rows[part], axis=0)
            self._coder.encode(indices[part].astype(np.int32), self._family, entries)
            self._count_table(indices[part], rows[part])
        return indices

    def payload(self) -> bytes:
        """Return all words so far, little-endian."""
        words: bytes = self._coder.get_compressed().astype("<u4").tobytes()
        return words


class RangeDecoder(_Tally):
    """Turn 32-bit words back into integers.

    Raises:
        FormatError: as soon as more information was read than the words can hold.
    """

    def __init__(self, payload: bytes) -> None:
        super().__init__()
        # The state holds up to 64 bits that were never written: what is read past that is invented.
        self._capacity_bits = 8 * len(payload) + 64
        self._coder = _queue.RangeDecoder(np.frombuffer(payload, dtype="<u4").astype(np.uint32))

    def uniform(self, values: Integers | None, size: int, count: int) -> Integers:
        """Decode `count` integers of 0 … size−1; `values` is ignored."""
        if not count or size == 1:
            return np.zeros(count, dtype=np.int64)
        decoded = self._decode(_model.Uniform(size), count)
        self._count_uniform(decoded, size)
        self._check_capacity()
        return decoded

    def table(self, indices: Integers | None, rows: Integers) -> Integers:
        """Decode one index of 0 … 31 for each row; `indices` is ignored."""
        decoded = np.empty(len(rows), dtype=np.int64)
        for part in _parts(len(rows)):
            entries = self._entries.take(rows[part], axis=0)
            decoded[part] = self._decode(self._family, entries)
            self._count_table(decoded[part], rows[part])
            self._check_capacity()
        return decoded

    def finish(self) -> None:
        """Check that the words end where the symbols end.

        Raises:
            FormatError: if words are left over.
        """
        if not self._coder.maybe_exhausted():
            raise FormatError("The payload is longer than its symbols; the file is damaged.")

    def _decode(self, model: object, parameters: object) -> Integers:
        try:
            return np.asarray(self._coder.decode(model, parameters), dtype=np.int64)
        except Exception as error:  # the coder's own class for impossible data is not public
            raise FormatError("The payload holds impossible data; the file is damaged.") from error

    def _check_capacity(self) -> None:
        if self.bits > self._capacity_bits:
            raise FormatError("The payload ends before its symbols; the file is damaged.")

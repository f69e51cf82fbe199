"""A range decoder written from docs/format.md, section 5, in plain Python."""

_MASK = (1 << 64) - 1


class PlainRangeDecoder:
    """Read symbols of given frequencies, which sum to 2^24, from 32-bit words."""

    def __init__(self, payload: bytes) -> None:
        starts = range(0, len(payload), 4)
        self._words = [int.from_bytes(payload[at : at + 4], "little") for at in starts]
        self._num_read = self._lower = self._point = 0
        self._range = _MASK
        for _ in range(2):
            self._shift_in()

    def _shift_in(self) -> None:
        beyond = self._num_read >= len(self._words)
        word = 0 if beyond else self._words[self._num_read]
        self._num_read += 1
        self._point = (self._point << 32 | word) & _MASK

    def table(self, frequencies: list[int]) -> int:
        """Return the index of the next symbol."""
        quantile, symbol, left = self._quantile(), 0, 0
        while quantile >= left + frequencies[symbol]:
            left += frequencies[symbol]
            symbol += 1
        self._consume(left, frequencies[symbol])
        return symbol

    def uniform(self, size: int) -> int:
        """Return the next of 0 … size−1."""
        share = (1 << 24) // size
        value = min(self._quantile() // share, size - 1)
        last = value == size - 1
        self._consume(value * share, (1 << 24) - value * share if last else share)
        return value

    def _quantile(self) -> int:
        quantile = ((self._point - self._lower) & _MASK) // (self._range >> 24)
        if quantile >= 1 << 24:
            raise ValueError("impossible data")
        return quantile

    def _consume(self, left: int, frequency: int) -> None:
        scale = self._range >> 24
        self._lower = (self._lower + scale * left) & _MASK
        self._range = scale * frequency
        if self._range < 1 << 32:
            self._lower, self._range = self._lower << 32 & _MASK, self._range << 32
            self._shift_in()

    def exhausted(self) -> bool:
        """Tell whether the words may end here."""
        rest = (self._point - self._lower) & _MASK
        return self._num_read >= len(self._words) and (self._range == _MASK or rest < (1 << 33) - 1)

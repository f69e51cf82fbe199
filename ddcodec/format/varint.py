"""Canonical variable-length integers: seven bits a byte, least significant first, no spares."""

from ddcodec.errors import FormatError

_LONGEST_BYTES = 9


def encode_varint(value: int) -> bytes:
    """Return the shortest encoding of a non-negative integer below 2^63."""
    if not 0 <= value < 1 << 63:
        raise ValueError(f"{value} does not fit a varint")
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


class VarintReader:
    """Read canonical varints one after another and notice every irregularity.

    Raises:
        FormatError: from `read` when the bytes end early or spend more bytes than needed.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def read(self) -> int:
        """Return the next integer, 0 … 2^63 − 1."""
        value = 0
        for count in range(_LONGEST_BYTES):
            if self._position >= len(self._data):
                raise FormatError("The header ends in the middle of a number; the file is damaged.")
            byte = self._data[self._position]
            self._position += 1
            value |= (byte & 0x7F) << 7 * count
            if byte < 0x80:
                if byte == 0 and count > 0:
                    raise FormatError("The header spells a number longer than needed; refused.")
                return value
        raise FormatError("The header holds a number beyond 63 bits; the file is damaged.")

    @property
    def position(self) -> int:
        """Number of bytes read so far."""
        return self._position

    @property
    def exhausted(self) -> bool:
        """Whether every byte has been read."""
        return self._position == len(self._data)

"""Bits per class and bytes: the only place where one becomes the other."""

import re
from dataclasses import dataclass

from ddcodec.errors import BudgetError

_BYTES_PER_UNIT = {
    "": 1.0,
    "b": 1.0,
    "byte": 1.0,
    "bytes": 1.0,
    "k": 1e3,
    "kb": 1e3,
    "kib": 1024.0,
    "m": 1e6,
    "mb": 1e6,
    "mib": 1024.0**2,
    "g": 1e9,
    "gb": 1e9,
    "gib": 1024.0**3,
    "bit": 1 / 8,
    "bits": 1 / 8,
    "kbit": 1e3 / 8,
    "mbit": 1e6 / 8,
}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)

TARGET_FILL = 0.97
"""Smallest share of the budget a finished file should use (design, promise 3)."""


def parse_bytes(text: str) -> float:
    """Read a quantity such as `10k`, `10kB`, `10KiB`, `80kbit` or `640`.

    Returns:
        Bytes, possibly fractional. Bare numbers are bytes; `k` alone is 1,000 bytes.

    Raises:
        BudgetError: if the text is not a positive quantity in a known unit.
    """
    match = _QUANTITY.fullmatch(text)
    unit = match.group(2).lower() if match else ""
    if match is None or unit not in _BYTES_PER_UNIT:
        raise BudgetError(
            f"'{text}' is not a size; write bytes such as 10k, 10kB or 10KiB, or bits such as "
            "80kbit."
        )
    size = float(match.group(1)) * _BYTES_PER_UNIT[unit]
    if size <= 0:
        raise BudgetError(f"'{text}' leaves no room for a file; give a positive size such as 10k.")
    return size


def bits_per_class(file_bytes: int, num_classes: int) -> float:
    """Return `8 · file size / classes`, the only meaning of bits per class here."""
    return 8 * file_bytes / num_classes


@dataclass(frozen=True)
class Budget:
    """A limit for a whole file, stated per class.

    Attributes:
        bytes_per_class: the limit for one class, in bytes.
        num_classes: number of classes that share the file.
    """

    bytes_per_class: float
    num_classes: int

    @property
    def budget_bytes(self) -> int:
        """Largest allowed file size in bytes."""
        return int(self.bytes_per_class * self.num_classes)

    @property
    def floor_bytes(self) -> int:
        """Smallest file size in bytes that counts as using the budget."""
        return -int(-TARGET_FILL * self.budget_bytes // 1)

    def holds(self, file_bytes: int) -> bool:
        """Tell whether a file of this size is within the budget and uses it."""
        return self.floor_bytes <= file_bytes <= self.budget_bytes


def format_bytes(size: float) -> str:
    """Write a size in bytes with separators, such as `98,765 bytes`."""
    return f"{size:,.0f} byte{'' if round(size) == 1 else 's'}"

"""Numbers in sentences."""

from __future__ import annotations

from math import isnan


def counted(number: int, thing: str = "image") -> str:
    """Return `1 image` or `2,000 images`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def validated(percent: float) -> str:
    """Return `71.2 % on validation`, or that there was nothing to validate on, for no number."""
    return "not validated" if isnan(percent) else f"{percent:.1f} % on validation"

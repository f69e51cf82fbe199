"""Numbers in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan


def counted(number: int, thing: str = "image") -> str:
    """Return `1 image` or `2,000 images`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def validated(percent: float) -> str:
    """Return `71.2 % on validation`, or that there was nothing to validate on, for no number."""
    return "not validated" if isnan(percent) else f"{percent:.1f} % on validation"


def some_of(names: Sequence[str]) -> str:
    """Return the first names of many, each of which may be long, for a message."""
    shown = [name if len(name) <= 40 else f"{name[:40]}…" for name in names[:12]]
    return ", ".join(shown) + (", …" if len(names) > 12 else "")

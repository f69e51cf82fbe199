"""Numbers of things in sentences."""

from __future__ import annotations


def counted(number: int, thing: str = "image") -> str:
    """Return `1 image` or `2,000 images`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"

"""How much a file may claim: what it unpacks to is bounded by what it stores, beforehand."""

from __future__ import annotations

from ddcodec.errors import DataError

MAX_RATIO = 200
"""Bytes that a stored byte may unpack to.

Photographs of 128×128 unpack to 1.1 bytes each, black-and-white discs of 64×64 to 126 (as an
`.npz`); bombs to a thousand and more.
"""

FREE_BYTES = 64 * 2**20
"""Bytes that any file may unpack to, however small."""


def most_unpacked_bytes(stored_bytes: int) -> int:
    """Return how many bytes a file of `stored_bytes` may unpack to."""
    return FREE_BYTES + MAX_RATIO * stored_bytes


def check_claim(claimed_bytes: int, stored_bytes: int, what: str, remedy: str) -> None:
    """Raise DataError for a file, called `what`, that claims more than it may.

    `remedy` says how somebody who trusts the file can have it read all the same.
    """
    if claimed_bytes > most_unpacked_bytes(stored_bytes):
        raise DataError(
            f"{what} claims {claimed_bytes:,} bytes but stores {stored_bytes:,}, over "
            f"{MAX_RATIO} times as many; if you trust it, {remedy}."
        )

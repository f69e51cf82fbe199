"""Sentences on what is kept that a person should read, from wherever they arise."""

from __future__ import annotations

import warnings


class KeptWarning(UserWarning):
    """Something kept was damaged and is made anew, or somebody else is at work on it."""


def notify(sentence: str) -> None:
    """Say a sentence, as a `KeptWarning`; the commands print it."""
    warnings.warn(sentence, KeptWarning, stacklevel=2)

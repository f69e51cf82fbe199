"""How people call the splits of a dataset, in folders, files and columns."""

from __future__ import annotations

import re

TRAIN = "train"
HELD_OUT = ("test", "val", "valid", "validation", "dev")
"""In order of preference: a tree with both `test` and `val` is tested on `test`."""

_SAME = {"training": TRAIN, "testing": "test", "eval": "val", "evaluation": "val"}


def split_called(name: str) -> str | None:
    """Return TRAIN or one of HELD_OUT if that is what a folder or a value in a column says."""
    lower = name.strip().lower()
    lower = _SAME.get(lower, lower)
    return lower if lower == TRAIN or lower in HELD_OUT else None


def split_of_file(stem: str) -> str | None:
    """Return the split a file is of: `train`, `train_labels` and `val-annotations` say it."""
    return split_called(re.split(r"[^A-Za-z]", stem, maxsplit=1)[0])

"""Where users keep things: paths as they are typed, and the folder for what is made once."""

from __future__ import annotations

import os
from pathlib import Path

from ddcodec.errors import DataError


def user_path(text: str | Path) -> Path:
    """Return the path a user typed with `~` filled in; raises DataError for an unknown user."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise DataError(f"cannot find the home folder in '{text}'; write the path out.") from error


def default_cache_dir() -> Path:
    """Return `$DDC_CACHE`, else `$XDG_CACHE_HOME/ddcodec`, else `~/.cache/ddcodec`.

    Raises DataError where there is no home folder.
    """
    if chosen := os.environ.get("DDC_CACHE"):
        return user_path(chosen)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return user_path(shared) / "ddcodec"
    return user_path("~/.cache/ddcodec")

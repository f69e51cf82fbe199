"""Paths as users type them, and where the cache is."""

from pathlib import Path

import pytest

from ddcodec.errors import DataError
from ddcodec.kept.paths import default_cache_dir, user_path


def test_default_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """DDC_CACHE goes before XDG_CACHE_HOME, which goes before the home folder."""
    monkeypatch.setenv("HOME", "/nobody")
    monkeypatch.delenv("DDC_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_cache_dir() == Path("/nobody/.cache/ddcodec")
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    assert default_cache_dir() == Path("/shared/ddcodec")
    monkeypatch.setenv("DDC_CACHE", "~/mine")
    assert default_cache_dir() == Path("/nobody/mine")


def test_a_home_that_is_not_there() -> None:
    """A user nobody knows is an error with a hint, not a folder of that name."""
    with pytest.raises(DataError, match="write the path out"):
        user_path("~nobody-of-this-name/x.ddc")

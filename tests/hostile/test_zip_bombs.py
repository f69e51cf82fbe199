"""Directories of zips that claim more than the file has room for."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import zip_bombs as bombs
from array_bombs import MIB
from bounded import needs_linux, outcome

from ddcodec.datasets import load_dataset
from ddcodec.datasets.given_images import load_given_images

BROKEN = r"cannot read the archive '.*' \({}\); download or pack it again"
LONG = BROKEN.format("a member's name, fields and comment are absurdly long")


@needs_linux
@pytest.mark.parametrize(
    ("craft", "message"),
    [
        (bombs.entries_zip, BROKEN.format("its members overlap")),
        (bombs.entries_npz, "is not a readable .npz of numbers"),
        (bombs.entries_pt, "it is damaged, or holds objects that are not arrays"),
        (bombs.names_zip, LONG),
        (bombs.extra_zip, LONG),
        (bombs.hole_zip, BROKEN.format("its directory is none")),
    ],
)
def test_directories(tmp_path: Path, craft: Callable[[Path], Path], message: str) -> None:
    """Refused in one sentence before anything is made of the entries."""
    path, cache = craft(tmp_path), tmp_path / "cache"
    found = outcome(
        lambda: (
            load_given_images(path, cache)
            if path.suffix == ".pt"
            else load_dataset(str(path), cache_dir=cache)
        )
    )
    assert not found.fault
    assert re.search(message, found.message), found.message
    assert "\n" not in found.message
    assert found.peak_bytes < 8 * MIB

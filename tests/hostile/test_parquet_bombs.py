"""Parquet files whose metadata or page headers are the attack."""

import re
from collections.abc import Callable
from pathlib import Path

import parquet_bombs as bombs
import pytest
from array_bombs import MIB
from bounded import needs_linux, outcome

from ddcodec.datasets import load_dataset

pytestmark = needs_linux
MANY = "its metadata has more parts than a file as small has"
CLAIM = "claims [0-9,]+ bytes but stores [0-9,]+, over 200 times as many"


@pytest.mark.parametrize(
    ("craft", "message"),
    [
        (bombs.page_parquet, CLAIM),
        (bombs.size_parquet, CLAIM),
        (bombs.prefix_parquet, CLAIM),
        (bombs.values_parquet, "a page has more values than bytes"),
        (bombs.chunk_parquet, "its columns lie over one another"),
        (bombs.overlap_parquet, "its columns lie over one another"),
        (bombs.groups_parquet, MANY),
        (bombs.columns_parquet, MANY),
        (bombs.schema_parquet, MANY),
        (bombs.notes_parquet, MANY),
        (bombs.hole_parquet, "it claims 3,221,225,372 bytes of metadata"),
        (bombs.sound_parquet, "^$"),
        (bombs.large_parquet, CLAIM),
    ],
)
def test_claims(tmp_path: Path, craft: Callable[[Path], Path], message: str) -> None:
    """Refused in one sentence before pyarrow takes memory for it."""
    pytest.importorskip("pyarrow.parquet")
    path = craft(tmp_path)
    found = outcome(lambda: load_dataset(str(path), cache_dir=tmp_path / "cache"))
    assert not found.fault, found.fault
    assert re.search(message, found.message), found.message
    assert "\n" not in found.message
    assert found.peak_bytes < 48 * MIB

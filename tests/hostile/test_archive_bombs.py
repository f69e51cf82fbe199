"""Archives that claim more than they hold, lead elsewhere or never end."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import archive_bombs as bombs
import numpy as np
import pytest
from array_bombs import MIB
from bounded import needs_linux, outcome
from image_trees import encode, write_archive
from PIL import Image

from ddcodec.datasets import load_dataset
from ddcodec.datasets.trees import tar_stream
from ddcodec.datasets.trees.archive import archive_members

pytestmark = needs_linux

HEADERS = "headers are longer than 262,144 bytes or say nothing sensible; pack it again"
CLAIM = "claims .* bytes but stores .*; if you trust it, unpack it and pass the folder"
BROKEN = r"cannot read the archive '.*' \({}\); download or pack it again"


@pytest.fixture(autouse=True)
def _usual_recursion_limit() -> Iterator[None]:
    """Python's own: with more, as other tests may leave it, another limit is met first."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    ("craft", "message", "most_mib"),
    [
        (bombs.pax_tar, HEADERS, 16),
        (bombs.name_tar, HEADERS, 16),
        (bombs.map_tar, HEADERS, 16),
        (bombs.digits_tar, HEADERS, 16),
        (bombs.shared_tar, "sets 300 fields for all of its members", 16),
        (bombs.members_tar, "has over 30,042 members, more than files as small", 16),
        (bombs.folders_tar, BROKEN.format("headers that only announce headers"), 16),
        (bombs.back_tar, BROKEN.format("it leads back"), 16),
        (bombs.sparse_tar, "stores 'ant/hole.png' with holes; .* --sparse", 16),
        (bombs.zeros_tar, CLAIM, 16),
        (bombs.junk_tar, CLAIM, 16),
        (bombs.zeros_zip, "'ant/0.png' is not a readable image", 48),
        (bombs.lists_zip, "image '1.png' in '.*' is in no class folder", 160),
        (bombs.overlap_zip, BROKEN.format("its members overlap"), 64),
        (bombs.encrypted_zip, BROKEN.format("'ant/1.png' is encrypted"), 16),
    ],
)
def test_claims(tmp_path: Path, craft: Callable[[Path], Path], message: str, most_mib: int) -> None:
    """One sentence, and no more memory than a member may take."""
    path = craft(tmp_path)
    found = outcome(lambda: load_dataset(str(path), cache_dir=tmp_path / "cache"))
    assert not found.fault
    assert re.search(message, found.message), found.message
    assert "\n" not in found.message
    assert found.peak_bytes < most_mib * MIB


def test_links_and_devices(tmp_path: Path) -> None:
    """What is no file is named and never opened."""
    for path in bombs.links(tmp_path):
        found = outcome(lambda: load_dataset(str(path), cache_dir=tmp_path / "c"))  # noqa: B023
        assert re.search("stores 'ant/x.png' as a (link|device or pipe)", found.message), path


def test_names_that_climb(tmp_path: Path) -> None:
    """Names that lead elsewhere are taken for those inside, and nothing is written there."""
    for path in bombs.climbing(tmp_path):
        members = [member.path for member in archive_members(path)]
        assert sorted(members) == ["ant/0.png", "ant/1.png", "bee/1.png"]


def test_sound_archives_are_far_from_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images of 24 random pixels, in the tightest packing, take twice what a member must."""
    monkeypatch.setattr(tar_stream, "FREE_MEMBERS", 0)
    monkeypatch.setattr(tar_stream, "MEMBER_BYTES", 2 * tar_stream.MEMBER_BYTES)
    noise = np.random.default_rng(0).integers(0, 256, (1000, 4, 6), dtype=np.uint8)
    files = {f"ant/{n}.png": encode(Image.fromarray(pixels)) for n, pixels in enumerate(noise)}
    path = write_archive(tmp_path / "x.tar.xz", files)
    assert sum(1 for _ in archive_members(path)) == 1000

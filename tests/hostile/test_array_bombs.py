"""Files of arrays that claim more than they hold end in one sentence, in little memory."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import array_bombs as bombs
import numpy as np
import pytest
import torch
from array_bombs import MIB
from bounded import needs_linux, outcome

from ddcodec.datasets import load_dataset
from ddcodec.datasets.given_images import load_given_images
from ddcodec.datasets.in_arrays.array_files import read_arrays
from ddcodec.datasets.sources import plain_pickle
from ddcodec.errors import DataError

pytestmark = needs_linux
MAX_BYTES = 2 << 30

Read = Callable[[Path, Path], object]
READERS: dict[str, Read] = {
    "distill": lambda path, cache: load_dataset(str(path), cache_dir=cache),
    "encode": load_given_images,
    "eval": lambda path, cache: read_arrays(path, MAX_BYTES),
}
CLAIM = "claims .* bytes but stores .*, over 200 times as many; if you trust it, save it again"
BROKEN = "not a readable .npz|is damaged, or holds objects"
REPEATED = "repeat the values they store; save them as tensor.clone"


@pytest.mark.parametrize(
    ("craft", "message"),
    [
        (bombs.zeros_npz, CLAIM),
        (bombs.header_npz, BROKEN),
        (bombs.extra_npz, "^$"),
        (bombs.names_npz, "100,000,000 class names|claims"),
        (bombs.lying_npz, BROKEN),
        (bombs.labels_npz, CLAIM),
        (bombs.pickled_npz, BROKEN),
        (bombs.stride_pt, REPEATED),
        (bombs.overlap_pt, REPEATED),
        (bombs.views_pt, f"{REPEATED}|more than 2,147,483,648"),
        (bombs.deflated_pt, f"{CLAIM} with torch.save"),
        (bombs.legacy_pt, "not all of its values|bytes of arrays"),
        (bombs.encode_pt, "holds objects that are not arrays"),
    ],
)
def test_claims(tmp_path: Path, craft: Callable[[Path], Path], message: str) -> None:
    """Headers, names, strides and packed zeros are found out before memory is taken for them."""
    path = craft(tmp_path)
    for read in READERS.values():
        found = outcome(lambda read=read: read(path, tmp_path / "cache"))  # type: ignore[misc]
        assert not found.fault
        assert re.search(message, found.message), found.message
        assert "\n" not in found.message
        assert found.peak_bytes < 32 * MIB


def test_operations_of_a_pickle_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte that makes a list is read some thousand times here, some million times elsewhere."""
    assert plain_pickle.MAX_OPERATIONS == 2**20
    monkeypatch.setattr(plain_pickle, "MAX_OPERATIONS", 2**14)
    path = bombs.lists_pt(tmp_path)
    found = outcome(lambda: load_given_images(path, tmp_path))
    assert "objects that are not arrays" in found.message
    # The pickle itself is in memory.
    assert found.peak_bytes < 48 * MIB


@pytest.mark.filterwarnings("ignore")
def test_odd_tensors(tmp_path: Path) -> None:
    """Tensors of every layout and type, anywhere, are read or refused, never a fault."""
    paths = bombs.odd_pts(tmp_path)

    def read_all() -> None:
        refused = 0
        for path in paths:
            for read in (READERS["encode"], READERS["eval"]):
                try:
                    read(path, tmp_path / "c")
                except DataError as error:
                    refused += 1
                    assert "\n" not in str(error)
                except Exception as error:
                    raise AssertionError(path.name) from error
        assert refused > 100

    found = outcome(read_all)
    assert not found.fault, found.fault
    assert found.peak_bytes < 32 * MIB


def test_sound_files_take_little_more_than_their_images(tmp_path: Path) -> None:
    """Of uint8 images there is one copy, of floats no wide one."""
    images = np.random.default_rng(0).integers(0, 256, (10_000, 3, 32, 32), dtype=np.uint8)
    labels = np.arange(10_000) % 10
    floats = (images[:5000] / 255).astype(np.float32)
    np.savez(tmp_path / "bytes.npz", images=images, labels=labels)
    np.savez(tmp_path / "floats.npz", images=floats, labels=labels[:5000])
    content = {"images": torch.from_numpy(images), "labels": torch.from_numpy(labels)}
    torch.save(content, tmp_path / "bytes.pt")
    # The cache is mapped and counts; 8 MiB of float64 are at work at a time, three times.
    for name, reader, most in (
        ("bytes.npz", "distill", images.nbytes),
        ("bytes.npz", "encode", images.nbytes),
        ("bytes.pt", "encode", images.nbytes),
        ("floats.npz", "distill", images.nbytes // 2),
        ("floats.npz", "encode", floats.nbytes + images.nbytes // 2),
    ):
        path = tmp_path / name
        found = outcome(lambda: READERS[reader](path, tmp_path / "cache"))  # noqa: B023
        assert not found.fault and not found.message
        extra = 40 * MIB if name == "bytes.npz" else 220 * MIB
        assert found.peak_bytes < most + extra, f"{name} {reader}: {found.peak_bytes:,}"


@pytest.mark.parametrize("kind", [torch.uint8, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("is_old", [False, True])
def test_sound_tensors(tmp_path: Path, kind: torch.dtype, is_old: bool) -> None:
    """Both formats of torch, views, permuted and wrapped tensors are read as they were."""
    images = torch.randint(0, 2, (6, 8, 8, 3)).to(kind).permute(0, 3, 1, 2)[1:5]
    labels = torch.arange(8)[::2] % 2
    content = {"images": torch.nn.Parameter(images) if kind.is_floating_point else images}
    content["labels"] = labels
    path = tmp_path / "x.pt"
    torch.save(content, path, _use_new_zipfile_serialization=not is_old)
    found = read_arrays(path, MAX_BYTES)
    assert torch.equal(found["images"], images) and found["images"].dtype == kind
    assert found["labels"].tolist() == [0, 0, 0, 0]


def test_a_pickle_is_read_before_its_tensors(tmp_path: Path) -> None:
    """Nothing that a file asks to be called is called."""
    path = bombs.pickled_pt(tmp_path, pickle.dumps({"images": Path("x")}, 2))
    found = outcome(lambda: load_given_images(path, tmp_path))
    assert "objects that are not arrays" in found.message

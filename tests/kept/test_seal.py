"""Checksums of what is kept: every flipped bit is found."""

import json
from pathlib import Path

import pytest
import torch

from ddcodec.errors import DataError
from ddcodec.kept.seal import (
    ChecksumError,
    check_seal,
    checked_json,
    is_sound,
    load_sealed,
    save_sealed,
    sealed,
    sealed_json,
    unsealed_json,
)


def test_a_seal_is_forty_bytes(tmp_path: Path) -> None:
    """The content comes first, then the mark, then its SHA-256."""
    data = sealed(b"abc")
    assert data[:11] == b"abcddcseal1"
    assert data[11:].hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "file").write_bytes(data)
    check_seal(tmp_path / "file")


def test_every_flipped_bit_and_every_cut_is_found(tmp_path: Path) -> None:
    """No bit of a file may change, none may be missing or added."""
    path = tmp_path / "file"
    whole = sealed(b"some bytes")
    for index in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[index // 8] ^= 1 << index % 8
        path.write_bytes(damaged)
        assert not is_sound(path), index
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert not is_sound(path), length
    path.write_bytes(whole + b"\0")
    assert not is_sound(path)


@pytest.mark.parametrize("mmap", [False, True])
def test_tensors_come_back(mmap: bool, tmp_path: Path) -> None:
    """Tensors, numbers and text are as they were, mapped or not; a changed weight is not read."""
    path = tmp_path / "file"
    save_sealed({"weights": torch.arange(100.0), "rest": [1, 2.5, None, "x"]}, path)
    read = load_sealed(path, mmap)
    assert torch.equal(read["weights"], torch.arange(100.0)) and read["rest"] == [1, 2.5, None, "x"]
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(torch.tensor(50.0).numpy().tobytes())] ^= 1
    path.unlink()
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="damaged: its checksum"):
        load_sealed(path, mmap)


def test_what_is_no_archive(tmp_path: Path) -> None:
    """A file without a seal, one sealed by hand and none at all are each a sentence."""
    path = tmp_path / "file"
    with pytest.raises(DataError, match="Cannot read"):
        load_sealed(path)
    torch.save({"a": 1}, path)
    with pytest.raises(DataError, match="of another release: it has no checksum"):
        load_sealed(path)
    path.write_bytes(sealed(b"no archive"))
    with pytest.raises(DataError, match="cannot be read"):
        load_sealed(path)


def test_facts_come_back() -> None:
    """JSON stays JSON that a person can read; a changed digit is found."""
    data = sealed_json({"epochs": (0.5, 1), "name": "ü"})
    assert json.loads(data)["name"] == "ü"
    assert unsealed_json(data) == {"epochs": [0.5, 1], "name": "ü"}
    assert unsealed_json(json.dumps(json.loads(data)).encode()) == {"epochs": [0.5, 1], "name": "ü"}
    for damaged in (data.replace(b"0.5", b"0.6"), b"{}", b"[]", b"{", b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            unsealed_json(damaged)


def test_every_flipped_bit_of_a_result_is_found() -> None:
    """It is read as it was written, or not at all."""
    facts = {"accuracies": [40.5, 41], "dataset": "ü", "num_images": None}
    whole = sealed_json(facts)
    assert checked_json(whole) == facts
    found = 0
    for index in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[index // 8] ^= 1 << index % 8
        try:
            read = checked_json(bytes(damaged))
        except ValueError:
            found += 1
            continue
        # The name of the checksum, or a space that is a line's end.
        assert {name: read.get(name) for name in facts} == facts
    assert found > 8 * len(whole) - 64


def test_results_without_a_checksum() -> None:
    """Those of earlier releases are read; a wrong one is told from what is no JSON."""
    assert checked_json(b'{"accuracies": [40.5]}') == {"accuracies": [40.5]}
    for data in (b"[]", b"{", b"\xff"):
        with pytest.raises(ValueError, match=r".") as caught:
            checked_json(data)
        assert not isinstance(caught.value, ChecksumError)
    for data in (b'{"sha256": 1}', b'{"a": 1, "sha256": null}'):
        with pytest.raises(ChecksumError):
            checked_json(data)

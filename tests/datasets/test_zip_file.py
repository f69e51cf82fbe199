"""Zips are opened as `zipfile` opens them, or refused for what their directory says."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from ddcodec.datasets.zip_file import MAX_ENTRY_BYTES, opened_zip

FILES = {"ant/1.png": b"one", "bee/2.png": bytes(100_000), "empty": b""}


def _written(path: Path, prefix: bytes = b"", comment: bytes = b"", extra: bytes = b"") -> Path:
    stream = io.BytesIO()
    stream.write(prefix)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            info = zipfile.ZipInfo(name)
            info.extra = extra
            archive.writestr(info, data)
        archive.comment = comment
    path.write_bytes(stream.getvalue())
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"comment": b"c" * 65_535},
        {"prefix": b"#!/bin/sh\n" * 100},
        {"extra": struct.pack("<HH", 0x5455, MAX_ENTRY_BYTES - 13) + bytes(MAX_ENTRY_BYTES - 13)},
    ],
)
def test_sound_zips(tmp_path: Path, options: dict[str, bytes]) -> None:
    """With comments, something before them and fields up to the limit, they are read."""
    with opened_zip(_written(tmp_path / "x.zip", **options)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


def test_records_of_zip64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records that large zips have are followed."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    path = _written(tmp_path / "x.zip")
    assert b"PK\x06\x06" in path.read_bytes()
    with opened_zip(path) as archive:
        assert archive.namelist() == list(FILES)


def test_fields_beyond_the_limit(tmp_path: Path) -> None:
    """One byte more is refused."""
    length = MAX_ENTRY_BYTES - 12
    extra = struct.pack("<HH", 0x5455, length) + bytes(length)
    path = _written(tmp_path / "x.zip", extra=extra)
    with pytest.raises(zipfile.BadZipFile, match="absurdly long"), opened_zip(path):
        pass


def test_members_fill_their_file(tmp_path: Path) -> None:
    """Members that take all of the room are sound, a byte more is not there."""
    path = _written(tmp_path / "x.zip")
    with opened_zip(path) as archive:
        last = archive.infolist()[-1]
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    # Behind the members and the directory lies its record of 22 bytes.
    for packed_bytes, is_sound in ((22, True), (23, False)):
        data[entry + 20 : entry + 24] = struct.pack("<I", last.compress_size + packed_bytes)
        path.write_bytes(data)
        if is_sound:
            with opened_zip(path):
                continue
        with pytest.raises(zipfile.BadZipFile, match="overlap"), opened_zip(path):
            pass


def test_a_directory_that_ends_early(tmp_path: Path) -> None:
    """What is cut off inside an entry is no directory."""
    data = _written(tmp_path / "x.zip").read_bytes()
    end = data.rindex(b"PK\x05\x06")
    start = data.index(b"PK\x01\x02")
    (tmp_path / "x.zip").write_bytes(
        data[: end - 10]
        + data[end : end + 12]
        + struct.pack("<II", end - 10 - start, start)
        + data[end + 20 :]
    )
    with pytest.raises(zipfile.BadZipFile), opened_zip(tmp_path / "x.zip"):
        pass

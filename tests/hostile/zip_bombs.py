"""Zips whose directory is the attack: its entries, names, extra fields or claimed size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from image_trees import flat

_LOCAL, _CENTRAL, _END = 0x04034B50, 0x02014B50, 0x06054B50
_END64, _LOCATOR64 = 0x06064B50, 0x07064B50
_UTF8 = 0x800


def _entry(name: bytes, extra: bytes = b"", flags: int = 0, size: int = 0) -> bytes:
    fields = (flags, 0, 0, 33, 0, size, size, len(name), len(extra), 0, 0, 0, 0, 0)
    head = struct.pack("<IHH", _CENTRAL, 20, 20) + struct.pack("<HHHHIIIHHHHHII", *fields)
    return head + name + extra


def _local(name: bytes, data: bytes) -> bytes:
    fields = (0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(name), 0)
    return struct.pack("<IHHHHHIIIHH", _LOCAL, 20, *fields) + name + data


def _written(path: Path, body: bytes, entries: Iterable[bytes], is_wide: bool = False) -> Path:
    """Write a directory behind a body; with the records of zip64 where it `is_wide`."""
    central = b"".join(entries)
    counts = (0, 0, 1, 1, len(central), len(body), 0)
    end = struct.pack("<IHHHHIIH", _END, *counts)
    if is_wide:
        wide = (44, 45, 45, 0, 0, 1, 1, len(central), len(body))
        place = len(body) + len(central)
        end = (
            struct.pack("<IQHHIIQQQQ", _END64, *wide)
            + struct.pack("<IIQI", _LOCATOR64, 0, place, 1)
            + struct.pack("<IHHHHIIH", _END, 0, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        )
    path.write_bytes(body + central + end)
    return path


def entries_zip(folder: Path, suffix: str = ".zip", is_wide: bool = False) -> Path:
    """A hundred thousand members of which there is no more than their entry."""
    entries = (_entry(b"%05x" % number) for number in range(100_000))
    return _written(folder / f"entries{suffix}", _local(b"0.png", flat(1)), entries, is_wide)


def entries_npz(folder: Path) -> Path:
    """The same as an `.npz`, with the records of zip64."""
    return entries_zip(folder, ".npz", is_wide=True)


def entries_pt(folder: Path) -> Path:
    """The same as a `.pt`."""
    return entries_zip(folder, ".pt")


def names_zip(folder: Path) -> Path:
    """A hundred names of 65 kB, each with a letter that makes all letters take four bytes."""
    name = "\U0001f41c".encode() + b"x" * 65_000
    entries = (_entry(b"%03d" % number + name, flags=_UTF8) for number in range(100))
    return _written(folder / "names.zip", bytes(10_000_000), entries)


def extra_zip(folder: Path) -> Path:
    """Fifty entries of sixteen thousand empty fields, each of which copies all that follow."""
    extra = struct.pack("<HH", 0x9999, 0) * 16_000
    entries = (_entry(b"%03d" % number, extra) for number in range(50))
    return _written(folder / "extra.zip", bytes(100_000), entries)


def hole_zip(folder: Path) -> Path:
    """A directory of 3 GB, all of it a hole of the disk."""
    size = 3 << 30
    path = folder / "hole.zip"
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(struct.pack("<IHHHHIIH", _END, 0, 0, 1, 1, size, 0, 0))
    return path

"""Archives that claim more than they hold, lead elsewhere or never end."""

from __future__ import annotations

import io
import lzma
import struct
import tarfile
import zlib
from pathlib import Path

from array_bombs import MIB, raw_zip
from array_bombs import deflated as deflated_zeros
from image_trees import flat, write_tar, write_zip

_SOUND = {"ant/1.png": flat(1), "ant/2.png": flat(2), "bee/1.png": flat(3)}


def _header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def _sound_tail() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in _SOUND.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def _xz(folder: Path, name: str, *parts: tuple[bytes, int]) -> Path:
    """Write parts, each as often as is said, as an `.xz` of a stream for each MiB."""
    path = folder / name
    with path.open("wb") as file:
        for data, times in parts:
            block = max(1, MIB // len(data))
            file.write(lzma.compress(data * block) * (times // block))
            if times % block:
                file.write(lzma.compress(data * (times % block)))
    return path


def _crc_of_zeros(num_bytes: int, head: bytes = b"") -> int:
    crc = zlib.crc32(head)
    for _ in range(num_bytes // MIB):
        crc = zlib.crc32(bytes(MIB), crc)
    return crc


def pax_tar(folder: Path) -> Path:
    """A PAX header of 300 MB."""
    length = 300 * MIB
    record = f"{length} comment=".encode()
    head = (_header("pax", length, tarfile.XHDTYPE) + record, 1)
    rest = length - len(record)
    tail = (b"x" * (rest % MIB - 1) + b"\n" + _sound_tail(), 1)
    return _xz(folder, "pax.tar.xz", head, (b"x" * MIB, rest // MIB), tail)


def name_tar(folder: Path) -> Path:
    """A name of 300 MB, as GNU tar stores long ones."""
    head = (_header("@LongLink", 300 * MIB, tarfile.GNUTYPE_LONGNAME), 1)
    return _xz(folder, "name.tar.xz", head, (b"x" * MIB, 300), (_sound_tail(), 1))


def members_tar(folder: Path) -> Path:
    """Two million empty members."""
    return _xz(folder, "members.tar.xz", (_header("ant/x.bin"), 2_000_000), (_sound_tail(), 1))


def folders_tar(folder: Path) -> Path:
    """A hundred thousand headers that announce a header."""
    head = _header("@LongLink", 0, tarfile.GNUTYPE_LONGNAME)
    return _xz(folder, "long.tar.xz", (head, 100_000), (_sound_tail(), 1))


def digits_tar(folder: Path) -> Path:
    """A PAX header of digits, which older Pythons read again from each of them."""
    data = _header("pax", 200_000, tarfile.XHDTYPE) + _padded(b"1" * 200_000)
    path = folder / "digits.tar"
    path.write_bytes(data + _sound_tail())
    return path


def shared_tar(folder: Path) -> Path:
    """Fields for all members, each of which gets a copy."""
    parts = []
    for number in range(2000):
        record = b"".join(b"%d a%08d=b\n" % (15, number * 60 + field) for field in range(60))
        parts.append(_header("pax", len(record), tarfile.XGLTYPE) + _padded(record))
        own = b"15 a00000000=b\n"
        parts.append(
            _header("pax", len(own), tarfile.XHDTYPE) + _padded(own) + _header("ant/x.txt")
        )
    path = folder / "shared.tar"
    path.write_bytes(b"".join(parts) + _sound_tail())
    return path


def sparse_tar(folder: Path) -> Path:
    """An image of 60 MB that is a hole."""
    info = bytearray(_header("ant/hole.png", 0, tarfile.GNUTYPE_SPARSE))
    info[386:410] = b"%011o\0%011o\0" % (60_000_000, 0)
    info[483:495] = b"%011o\0" % 60_000_000
    info[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(info))[0]
    path = folder / "sparse.tar"
    path.write_bytes(bytes(info) + _sound_tail())
    return path


def map_tar(folder: Path) -> Path:
    """A map of a hundred million holes."""
    fields = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n30 GNU.sparse.name=ant/hole.png\n"
    head = _header("pax", len(fields), tarfile.XHDTYPE) + _padded(fields)
    data = head + _header("ant/hole.png", 200 * MIB) + b"100000000\n"
    tail = (bytes(-10 % 512) + _sound_tail(), 1)
    return _xz(folder, "map.tar.xz", (data, 1), (b"9999\n" * 2**18, 160), tail)


def back_tar(folder: Path) -> Path:
    """A member of negative length, which leads back to its own header."""
    info = bytearray(_header("ant/x.txt", 0))
    info[124:136] = b"\xff" * 10 + struct.pack(">h", -512)
    info[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(info))[0]
    path = folder / "back.tar"
    path.write_bytes(_header("ant/y.txt") + bytes(info) + _sound_tail())
    return path


def zeros_tar(folder: Path) -> Path:
    """An image of 60 MB of zeros, twenty times over, in 1.3 MB."""
    length = 60 * MIB
    head = _header("ant/x.png", length)
    end = struct.pack("<II", _crc_of_zeros(length, head), length + 512)
    stream = b"\x1f\x8b\x08" + bytes(7) + deflated_zeros(length, head) + end
    path = folder / "zeros.tar.gz"
    path.write_bytes(stream * 20)
    return path


def junk_tar(folder: Path) -> Path:
    """Sound images and 1 GB that nobody asks for, in 150 kB."""
    return _xz(
        folder, "junk.tar.xz", (_header("ant/junk.bin", 1 << 30), 1), (bytes(MIB), 1024),
        (_sound_tail(), 1),
    )  # fmt: skip


def links(folder: Path) -> list[Path]:
    """Links, devices and pipes, one an archive."""
    paths = []
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
    for kind in kinds:
        path = folder / f"kind-{kind.decode()}.tar"
        path.write_bytes(_header("ant/x.png", 0, kind) + _sound_tail())
        paths.append(path)
    return paths


def climbing(folder: Path) -> list[Path]:
    """Sound images under names that lead elsewhere."""
    names = ("/ant/{}", "../../ant/{}", "ant/../../../ant/{}", "..\\..\\ant\\{}", "//ant//{}")
    paths = []
    for number, name in enumerate(names):
        files = {name.format(f"{i}.png"): flat(i) for i in range(2)} | {"bee/1.png": flat(9)}
        paths.append(write_zip(folder / f"c{number}.zip", files))
        if "\\" not in name:
            paths.append(write_tar(folder / f"c{number}.tar", files))
    return paths


def zeros_zip(folder: Path) -> Path:
    """A hundred images of 15 MB of zeros."""
    length = 15 * MIB
    entry = (8, deflated_zeros(length), length, _crc_of_zeros(length))
    return raw_zip(folder / "zeros.zip", {f"ant/{n}.png": entry for n in range(100)})


def lists_zip(folder: Path) -> Path:
    """Sixty lists of labels of 60 MB each."""
    length = 60 * MIB
    entry = (8, deflated_zeros(length), length, _crc_of_zeros(length))
    entries = {f"{n}.csv": entry for n in range(60)}
    data = flat(1)
    entries["1.png"] = (0, data, len(data), zlib.crc32(data))
    return raw_zip(folder / "lists.zip", entries)


def overlap_zip(folder: Path) -> Path:
    """A million members that are one."""
    data = flat(1)
    central = bytearray()
    fields = (0, 0, 0, 33, zlib.crc32(data), len(data), len(data), 9)
    body = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, *fields, 0) + b"ant/1.png" + data
    one = struct.pack("<IHH", 0x02014B50, 20, 20) + struct.pack(
        "<HHHHIIIHHHHHII", *fields, 0, 0, 0, 0, 0, 0
    )
    for number in range(60_000):
        central += one + b"%05x.png" % number
    counts = (0, 0, 60_000, 60_000, len(central), len(body), 0)
    path = folder / "overlap.zip"
    path.write_bytes(body + central + struct.pack("<IHHHHIIH", 0x06054B50, *counts))
    return path


def encrypted_zip(folder: Path) -> Path:
    """A member that needs a password."""
    path = write_zip(folder / "secret.zip", _SOUND)
    data = bytearray(path.read_bytes())
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + place] |= 1
    path.write_bytes(data)
    return path

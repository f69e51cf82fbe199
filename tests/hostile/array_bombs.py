"""Files of arrays that claim more than they hold, each of a few megabytes at most.

Checksums of what is large are left out: nobody may come to them.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

MIB = 1 << 20


def deflated(num_bytes: int, head: bytes = b"", fill: bytes = b"\0") -> bytes:
    """Return `head` and as many bytes of `fill` as a raw deflate stream."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = compressor.compress(head) + compressor.flush(zlib.Z_FULL_FLUSH)
    one = compressor.compress(fill * MIB) + compressor.flush(zlib.Z_FULL_FLUSH)
    rest = compressor.compress(fill * (num_bytes % MIB)) + compressor.flush()
    return first + one * (num_bytes // MIB) + rest


def raw_zip(path: Path, entries: Mapping[str, tuple[int, bytes, int, int]]) -> Path:
    """Write a zip by hand: of each entry the method, its stored bytes, its claimed size and CRC."""
    body, central = bytearray(), bytearray()
    for name, (method, data, size, crc) in entries.items():
        text = name.encode()
        fields = (0, method, 0, 33, crc, len(data), size, len(text))
        offset = len(body)
        body += struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, *fields, 0) + text + data
        central += struct.pack("<IHH", 0x02014B50, 20, 20)
        central += struct.pack("<HHHHIIIHHHHHII", *fields, 0, 0, 0, 0, 0, offset) + text
    counts = (0, 0, len(entries), len(entries), len(central), len(body), 0)
    end = struct.pack("<IHHHHIIH", 0x06054B50, *counts)
    path.write_bytes(body + central + end)
    return path


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """Return an array as the bytes of a `.npy`."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_head(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return the beginning of a `.npy` of an array."""
    stream = io.BytesIO()
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False}
    np.lib.format.write_array_header_1_0(stream, {**header, "shape": shape})
    return stream.getvalue()


def _stored(data: bytes) -> tuple[int, bytes, int, int]:
    return 0, data, len(data), zlib.crc32(data)


def _deflated(data: bytes) -> tuple[int, bytes, int, int]:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return 8, compressor.compress(data) + compressor.flush(), len(data), zlib.crc32(data)


def _zeros(dtype: str, shape: tuple[int, ...]) -> tuple[int, bytes, int, int]:
    head = npy_head(dtype, shape)
    num_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return 8, deflated(num_bytes, head), len(head) + num_bytes, 0


def zeros_npz(folder: Path) -> Path:
    """1.2 GB of black images in 1.2 MB."""
    count = 400_000
    labels = _deflated(npy(np.arange(count) % 10))
    images = _zeros("u1", (count, 3, 32, 32))
    return raw_zip(folder / "zeros.npz", {"images.npy": images, "labels.npy": labels})


def header_npz(folder: Path) -> Path:
    """A header of 1 GB."""
    length = (1 << 30) - 12
    data = deflated(length, b"\x93NUMPY\x02\x00" + struct.pack("<I", length), b" ")
    entry = (8, data, length + 12, 0)
    labels = _stored(npy(np.arange(4)))
    return raw_zip(folder / "header.npz", {"images.npy": entry, "labels.npy": labels})


def extra_npz(folder: Path) -> Path:
    """Sound images beside an array of 1 GB that nobody asks for."""
    entries = {
        "images.npy": _stored(npy(np.zeros((4, 3, 8, 8), np.uint8))),
        "labels.npy": _stored(npy(np.arange(4) % 2)),
        "extra.npy": _zeros("u1", (1 << 30,)),
    }
    return raw_zip(folder / "extra.npz", entries)


def names_npz(folder: Path) -> Path:
    """A hundred million class names of a byte each."""
    entries = {
        "images.npy": _stored(npy(np.zeros((4, 3, 8, 8), np.uint8))),
        "labels.npy": _stored(npy(np.arange(4) % 2)),
        "class_names.npy": _zeros("S1", (100_000_000,)),
    }
    return raw_zip(folder / "names.npz", entries)


def lying_npz(folder: Path) -> Path:
    """A directory that says 100 bytes of what unpacks to 1 GB."""
    data = deflated(1 << 30, npy_head("u1", (4, 3, 8, 8)))
    labels = _stored(npy(np.arange(4) % 2))
    entry = (8, data, 128 + 768, 0)
    return raw_zip(folder / "lying.npz", {"images.npy": entry, "labels.npy": labels})


def labels_npz(folder: Path) -> Path:
    """One label of texts as long as a gigabyte of zeros."""
    images = _stored(npy(np.zeros((4, 3, 8, 8), np.uint8)))
    entries = {"images.npy": images, "labels.npy": _zeros("U64000000", (4,))}
    return raw_zip(folder / "texts.npz", entries)


def _torch(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


_LABELS = torch.arange(4) % 2


def stride_pt(folder: Path) -> Path:
    """500,000 images that are one."""
    images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8).expand(500_000, 3, 32, 32)
    labels = torch.zeros(1, dtype=torch.int64).expand(500_000)
    return _torch(folder / "stride.pt", {"images": images, "labels": labels})


def overlap_pt(folder: Path) -> Path:
    """Images that overlap in their storage."""
    values = torch.zeros(2_000_000, dtype=torch.uint8)
    images = values.as_strided((600_000, 3, 32, 32), (1, 1, 1, 1))
    return _torch(folder / "overlap.pt", {"images": images, "labels": torch.zeros(600_000)})


def views_pt(folder: Path) -> Path:
    """A thousand views of one storage of 8 MB."""
    whole = torch.zeros(8 * MIB, dtype=torch.uint8)
    views = [whole[i:-1000].view(-1)[: 2048 * 3072].view(2048, 3, 32, 32) for i in range(1000)]
    return _torch(folder / "views.pt", {"images": views, "labels": torch.zeros(1000)})


def deflated_pt(folder: Path) -> Path:
    """A storage of 1 GB in 1 MB."""
    path = _torch(
        folder / "plain.pt",
        {"images": torch.zeros(4, 3, 8, 8, dtype=torch.uint8), "labels": _LABELS},
    )
    entries = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            if name.endswith("data.pkl"):
                # The storage is said to have 2**30 bytes, and so is its first side.
                data = data.replace(b"M\x00\x03tq", b"J\x00\x00\x00\x40tq")
            entries[name] = _stored(data)
            if name.endswith("data/0"):
                entries[name] = (8, deflated(1 << 30), 1 << 30, 0)
    return raw_zip(folder / "deflated.pt", entries)


def legacy_pt(folder: Path) -> Path:
    """A storage that is said to have 2**40 bytes, in the format before 2020."""
    path = folder / "legacy.pt"
    content = {"images": torch.zeros(4, 3, 8, 8, dtype=torch.uint8), "labels": _LABELS}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    claimed = data.replace(b"M\x00\x03N", b"\x8a\x06\x00\x00\x00\x00\x00\x01N")
    claimed = claimed.replace(b"K\x04K\x03K\x08K\x08t", b"J\x00\x00\x00\x40K\x03K\x08K\x08t")
    assert len(claimed) > len(data) + 6
    path.write_bytes(claimed)
    return path


def pickled_pt(folder: Path, pickled: bytes, name: str = "pickled.pt") -> Path:
    """Return a `.pt` around a pickle."""
    entries = {"archive/data.pkl": _deflated(pickled), "archive/version": _stored(b"3\n")}
    return raw_zip(folder / name, entries)


def encode_pickle(times: int, size: int) -> bytes:
    """Return a pickle of a text that is turned into bytes many times."""
    text = b"X" + struct.pack("<I", size) + b"x" * size
    arguments = b"(" + text + b"X\x06\x00\x00\x00latin1tq\x01"
    calls = b"h\x00h\x01R" * times
    return b"\x80\x02c_codecs\nencode\nq\x00" + arguments + b"](" + calls + b"e\x86."


def encode_pt(folder: Path) -> Path:
    """A text of 1 MB turned into bytes ten thousand times."""
    return pickled_pt(folder, encode_pickle(10_000, MIB), "encode.pt")


def lists_pt(folder: Path) -> Path:
    """Fifteen million empty lists in 15 kB."""
    return pickled_pt(folder, b"\x80\x02" + b"]" * 15_000_000 + b".", "lists.pt")


def odd_pts(folder: Path) -> list[Path]:
    """Tensors of every odd kind as images, one a file."""
    plain = torch.zeros(4, 3, 8, 8)
    place, one = torch.zeros((4, 1), dtype=torch.int64), torch.ones(1)
    shown = {
        "sparse": plain.to_sparse(),
        "vast": torch.sparse_coo_tensor(place, one, (1 << 40, 3, 8, 8)),
        "csr": torch.zeros(4, 8).to_sparse_csr(),
        "quantised": torch.quantize_per_tensor(plain, 0.1, 0, torch.quint8),
        "meta": torch.zeros(1 << 20, 3, 32, 32, device="meta"),
        "complex": plain.to(torch.complex64),
        "nested": torch.nested.nested_tensor([torch.zeros(3, 8, 8), torch.zeros(3, 4, 4)]),
        "bool": plain.bool(),
        "float8": plain.to(torch.float8_e4m3fn),
        "half": plain.half(),
        "conj": torch.zeros(4, 3, 8, 8, dtype=torch.complex64).conj(),
        "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 3, 8, 8),
        "zero-sided": torch.zeros(1 << 40, 0, 8, 8),
        "parameter": torch.nn.Parameter(plain),
        "list": [[torch.zeros(3, 8, 8)] * 2] * 2,
        "strings": ["x", "y"],
        "dict": {"a": plain},
        "none": None,
        "odd dims": torch.zeros([1] * 40),
        "ordered": OrderedDict(a=plain),
        "number": 10**400,
        "uint16": torch.zeros(4, 3, 8, 8, dtype=torch.uint16),
    }
    paths = []
    for name, images in shown.items():
        for kind, content in (
            ("images", {"images": images, "labels": _LABELS}),
            ("labels", {"images": plain, "labels": images}),
            ("pair", (images, images)),
            ("alone", images),
            ("std", {"images": plain, "labels": _LABELS, "mean": images, "std": images}),
            ("names", {"images": plain, "labels": _LABELS, "class_names": images}),
            ("data", {"data": [[images, _LABELS]]}),
        ):
            path = folder / f"{name} {kind}.pt"
            try:
                _torch(path, content)
            except (RuntimeError, NotImplementedError):
                continue
            paths.append(path)
    return paths


def pickled_npz(folder: Path) -> Path:
    """An array of objects."""
    data = npy_head("u1", (4, 3, 8, 8)).replace(b"|u1", b"|O8") + pickle.dumps([1, 2])
    entries = {"images.npy": _stored(data), "labels.npy": _stored(npy(np.arange(4)))}
    return raw_zip(folder / "objects.npz", entries)

"""Official files of datasets that claim more than they hold."""

from __future__ import annotations

import gzip
import struct
import tarfile
import zlib
from pathlib import Path

from array_bombs import MIB, encode_pickle
from image_trees import Files, write_folder
from official_files import element, mnist_files, svhn_files

NINE_BYTES = b"Nr\xff\xff\xff\x1f.NN"


def cifar(folder: Path, batch: bytes) -> Path:
    """Return a folder of batches that are all alike."""
    names = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
    return write_folder(folder / "batches", dict.fromkeys(names, batch))


def builds(count: int) -> bytes:
    """Return a pickle of arrays, each under a name of its own."""
    made = b"cnumpy.core.multiarray\n_reconstruct\nq\x01(cnumpy\nndarray\n(K\x00tU\x01btq\x02"
    state = b"(K\x01(K\x01tcnumpy\ndtype\n(U\x02u1K\x00K\x01tR\x89U\x01atq\x00"
    arrays = (b"h\x01h\x02Rr" + struct.pack("<I", number) + b"h\x00b" for number in range(3, count))
    return b"](" + state + made + b"".join(arrays) + b"e."


def lists(folder: Path) -> Path:
    """Twenty million lists in a packed archive of 20 kB."""
    path = folder / "cifar.tar.gz"
    info = tarfile.TarInfo("data_batch_1")
    info.size = 20 * MIB
    with gzip.open(path, "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(20):
            file.write(b"]" * MIB)
        file.write(bytes(10240))
    return path


def encoded(folder: Path) -> Path:
    """A text of 1 MB turned into bytes ten thousand times."""
    return cifar(folder, encode_pickle(10_000, MIB))


def idx(folder: Path) -> Path:
    """Images of 1 GB of zeros in 1 MB."""
    files: Files = mnist_files()
    count = 2**30 // 784
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = packer.compress(struct.pack(">BBBBIII", 0, 0, 8, 3, count, 28, 28))
    data += packer.flush(zlib.Z_FULL_FLUSH)
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = raw.compress(bytes(MIB)) + raw.flush(zlib.Z_FULL_FLUSH)
    files["train-images-idx3-ubyte.gz"] = data + block * 1024
    return write_folder(folder / "mnist", files)


def _packed(length: int, head: bytes) -> bytes:
    packer = zlib.compressobj(9)
    data = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = raw.compress(bytes(MIB)) + raw.flush(zlib.Z_FULL_FLUSH)
    stream = data + block * (length // MIB)
    return struct.pack("<II", 15, len(stream)) + stream


def matlab(folder: Path, count: int = 1, length: int = 1000 * MIB) -> Path:
    """An array of 1 GB in 1 MB."""
    head = struct.pack("<II", 14, length)
    text = b"MATLAB 5.0 MAT-file, made by a test".ljust(124) + b"\x00\x01IM"
    files = svhn_files()
    files["train_32x32.mat"] = text + _packed(length, head) * count
    return write_folder(folder / "svhn", files)


def wide_matlab(folder: Path) -> Path:
    """An array of bytes that is to become one of doubles, 1 GB of them."""
    count = 125 * MIB
    parts = (
        element(6, struct.pack("<II", 6, 0)),
        element(5, struct.pack("<ii", count, 1)),
        element(1, b"X", small=True),
        struct.pack("<II", 2, count),
    )
    head = b"".join(parts)
    text = b"MATLAB 5.0 MAT-file, made by a test".ljust(124) + b"\x00\x01IM"
    files = svhn_files()
    stream = _packed(count, struct.pack("<II", 14, len(head) + count) + head)
    files["train_32x32.mat"] = text + stream
    return write_folder(folder / "svhn", files)


def absurd_labels() -> bytes:
    """Return a CIFAR batch whose labels are no numbers of classes."""
    return b"}(U\x06labels](" + b"\x8b" + struct.pack("<i", 4000) + b"\x01" * 4000 + b"eu."

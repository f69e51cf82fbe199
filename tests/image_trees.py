"""Small datasets on disk, in every form a user may bring one."""

from __future__ import annotations

import io
import pickle
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Files = dict[str, bytes]


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return `image` as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def flat(value: int, mode: str = "RGB", size: tuple[int, int] = (6, 4)) -> bytes:
    """Return a PNG, 6 wide and 4 high, whose every channel is `value`."""
    fill = value if mode == "L" else (value,) * len(mode)
    return encode(Image.new(mode, size, fill))


def split_tree() -> Files:
    """Return two classes with 3 + 2 training and 1 + 1 test images, all different."""
    return {
        "train/ant/a.png": flat(10),
        "train/ant/b.png": flat(20),
        "train/ant/c.png": flat(30),
        "train/bee/a.png": flat(40),
        "train/bee/b.png": flat(50),
        "test/ant/a.png": flat(60),
        "test/bee/a.png": flat(70),
    }


def write_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below `root`; a name that ends in a slash makes an empty folder."""
    root.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_tar(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    """Write a tar archive; `mode` is w, w:gz or w:xz."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_archive(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write an archive of the kind that its name says, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        return write_zip(path, files)
    if path.suffix == ".zst":
        plain = write_tar(path.with_suffix(""), files)
        path.write_bytes(zstandard_compress(plain.read_bytes()))
        plain.unlink()
        return path
    modes = {".tar": "w", ".xz": "w:xz", ".bz2": "w:bz2"}
    return write_tar(path, files, modes.get(path.suffix, "w:gz"))


def zstandard_compress(data: bytes) -> bytes:
    """Compress by Python's own Zstandard or its backport."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    compressed: bytes = import_module(name).compress(data)
    return compressed


def write_source(folder: Path, kind: str, files: Mapping[str, bytes]) -> Path:
    """Write files as a folder (`kind` is empty) or as an archive with the suffix `kind`."""
    path = folder / f"insects{kind}"
    return write_archive(path, files) if kind else write_folder(path, files)


BATCH_NAMES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
BATCH_SIZE = 4


def cifar_pixels(batch: int) -> NDArray[np.uint8]:
    """Return the made-up pixels of one batch, 4×3072."""
    return np.random.default_rng(batch).integers(0, 256, (BATCH_SIZE, 3072), dtype=np.uint8)


def cifar_labels(batch: int) -> list[int]:
    """Return the made-up labels of one batch."""
    return [(batch + index) % 10 for index in range(BATCH_SIZE)]


def python_batches() -> Files:
    """Return tiny batches as in cifar-10-python.tar.gz: dicts pickled by Python 2."""
    folder = "cifar-10-batches-py"
    files = {
        f"{folder}/{name}": python2_pickle(cifar_pixels(index), cifar_labels(index))
        for index, name in enumerate(BATCH_NAMES)
    }
    files[f"{folder}/batches.meta"] = pickle.dumps({b"num_vis": 3072}, protocol=2)
    files[f"{folder}/readme.html"] = b"<html></html>"
    return files


def binary_batches() -> Files:
    """Return tiny batches as in cifar-10-binary.tar.gz: records of a label and 3072 pixels."""
    folder = "cifar-10-batches-bin"
    files = {}
    for index, name in enumerate(BATCH_NAMES):
        labels = np.array(cifar_labels(index), dtype=np.uint8)[:, None]
        files[f"{folder}/{name}.bin"] = np.hstack([labels, cifar_pixels(index)]).tobytes()
    files[f"{folder}/batches.meta.txt"] = b"airplane\n"
    files[f"{folder}/readme.html"] = b"<html></html>"
    return files


def python2_pickle(pixels: NDArray[np.uint8], labels: list[int]) -> bytes:
    """Pickle a batch with Python 2's opcodes, byte for byte as the official files begin.

    Python 3 writes byte strings of protocol 2 in another way, so the opcodes are spelled out:
    a dict of str keys, an array rebuilt by `numpy.core.multiarray._reconstruct`, and lists.
    """

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def integer(value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little", signed=True)

    def raw(value: bytes) -> bytes:
        return b"T" + len(value).to_bytes(4, "little") + value

    dtype = (
        b"cnumpy\ndtype\n" + text(b"u1") + integer(0) + integer(1) + b"\x87R"
        b"(" + integer(3) + text(b"|") + b"NNN" + integer(-1) + integer(-1) + integer(0) + b"tb"
    )
    shape = b"".join(integer(length) for length in pixels.shape)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        + integer(0) + b"\x85" + text(b"b") + b"\x87R"
        + b"(" + integer(1) + b"(" + shape + b"t" + dtype + b"\x89" + raw(pixels.tobytes()) + b"tb"
    )  # fmt: skip
    numbers = b"](" + b"".join(integer(label) for label in labels) + b"e"
    items = text(b"data") + array + text(b"labels") + numbers
    items += text(b"batch_label") + text(b"training batch 1 of 5")
    return b"\x80\x02}(" + items + b"u."

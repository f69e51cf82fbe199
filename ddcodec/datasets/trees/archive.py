"""Stream the members of a zip or tar archive; nothing is ever unpacked to disk."""

from __future__ import annotations

import lzma
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from ddcodec.datasets.trees.member import Member
from ddcodec.errors import DataError

ARCHIVE_SUFFIXES = (
    ".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst", ".tzst",
)  # fmt: skip
FILES_READ = ".zip, .tar (also .gz, .bz2, .xz, .zst), .parquet, .npz or .pt"
_ZSTANDARD_SUFFIXES = (".tar.zst", ".tzst")

# What the standard library raises on damaged, encrypted or exotic archives.
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)


def is_archive_name(path: Path) -> bool:
    """Tell whether the file name ends like a supported archive."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def archive_stem(path: Path) -> str:
    """Return the file name without its archive suffix: `birds.tar.gz` is `birds`."""
    for suffix in ARCHIVE_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem


def archive_members(path: Path) -> Iterator[Member]:
    """Yield every file and folder of the archive, in archive order.

    A member's bytes must be read before the next member is asked for. Raises DataError naming
    the archive when it is damaged, truncated, encrypted or unreadable, or stores links.
    """
    stream = _zip_members if path.name.lower().endswith(".zip") else _tar_members
    members = stream(path)
    while True:
        try:
            member = next(members)
        except StopIteration:
            return
        except PermissionError as error:
            raise DataError(f"cannot read '{path}': permission denied; check its mode.") from error
        except _BROKEN as error:
            raise _broken(path, error) from error
        # The consumer runs here, outside the try: its errors are not the archive's.
        yield member


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = _harmless(info.filename.replace("\\", "/"))
            read = partial(_read_zip, archive, info, path)
            yield Member(name, info.is_dir(), info.file_size, read)


def _read_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> bytes:
    try:
        return archive.read(info)
    except _BROKEN as error:
        raise _broken(path, error) from error


def _tar_members(path: Path) -> Iterator[Member]:
    with _opened_tar(path) as archive:
        for info in archive:
            if info.islnk() or info.issym():
                raise DataError(
                    f"'{path}' stores '{info.name}' as a link; pack the files themselves "
                    "(tar --dereference --hard-dereference)."
                )
            read = partial(_read_tar, archive, info, path)
            yield Member(_harmless(info.name), info.isdir(), info.size, read)
        _check_end(archive)


@contextmanager
def _opened_tar(path: Path) -> Iterator[tarfile.TarFile]:
    if not path.name.lower().endswith(_ZSTANDARD_SUFFIXES):
        with tarfile.open(path, "r:*") as archive:
            yield archive
        return
    zstd = _zstandard()
    try:
        with zstd.ZstdFile(path) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            yield archive
    except zstd.ZstdError as error:
        raise tarfile.ReadError(str(error)) from error


def _zstandard() -> Any:
    """Return the module that reads Zstandard: Python's own since 3.14."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise DataError(
        "Zstandard needs backports.zstd, which is not installed: pip install 'ddcodec[zstd]'."
    )


def _read_tar(archive: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> bytes:
    try:
        file = archive.extractfile(info)
        return b"" if file is None else file.read()
    except _BROKEN as error:
        raise _broken(path, error) from error


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise ReadError unless the archive stopped at an end marker, and read what follows it.

    `tarfile` takes a damaged or cut header for the end of the archive and says nothing.
    """
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends in the middle")
    # The checksum of a compressed archive comes last and is checked only where it is read.
    while archive.fileobj.read(2**20):
        pass


def _harmless(name: str) -> str:
    """Drop what would lead out of the archive: a leading `/` and any `..` that climbs out."""
    return posixpath.normpath("/" + name).lstrip("/")


def _broken(path: Path, error: Exception) -> DataError:
    # `tarfile` goes on for a line per compression it tried.
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
    return DataError(f"cannot read the archive '{path}' ({reason}); download or pack it again.")

"""Stream the members of a zip or tar archive; nothing is ever unpacked to disk."""

from __future__ import annotations

import lzma
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ddcodec.datasets.claims import check_claim
from ddcodec.datasets.trees.member import Member, Place, Storage
from ddcodec.datasets.trees.tar_stream import opened_tar, tar_headers, zstandard_errors
from ddcodec.datasets.zip_file import opened_zip
from ddcodec.errors import DataError

ARCHIVE_SUFFIXES = (
    ".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst", ".tzst",
)  # fmt: skip
FILES_READ = ".zip, .tar (also .gz, .bz2, .xz, .zst), .parquet, .npz or .pt"

MAX_PATH_CHARACTERS = 4096
MAX_DEPTH = 64

_ENCRYPTED = 1
_ZIP_STORAGE = {
    zipfile.ZIP_STORED: Storage.ZIP_STORED,
    zipfile.ZIP_DEFLATED: Storage.ZIP_DEFLATED,
}

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
    MemoryError,
    OverflowError,
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
        if len(member.path) > MAX_PATH_CHARACTERS or member.path.count("/") > MAX_DEPTH:
            raise DataError(
                f"'{path}' has a member '{member.path[:40]}…' whose path is absurdly long or deep; "
                "pack it again."
            )
        # The consumer runs here, outside the try: its errors are not the archive's.
        yield member


def _zip_members(path: Path) -> Iterator[Member]:
    with opened_zip(path) as archive:
        reader, holder = _ZipReader(archive, path, path.stat().st_size), str(path.resolve())
        for info in archive.infolist():
            name = _harmless(info.filename.replace("\\", "/"))
            read, place = partial(reader.read, info), _place_in_zip(info, holder)
            yield Member(name, info.is_dir(), info.file_size, read, place=place)


@dataclass
class _ZipReader:
    """Read members of a zip, as long as all that were read are what the file may claim."""

    archive: zipfile.ZipFile
    path: Path
    stored_bytes: int
    claimed_bytes: int = 0

    def read(self, info: zipfile.ZipInfo) -> bytes:
        self.claimed_bytes += info.file_size
        remedy = "unpack it and pass the folder"
        check_claim(self.claimed_bytes, self.stored_bytes, f"'{self.path}'", remedy)
        try:
            if info.flag_bits & _ENCRYPTED:
                raise zipfile.BadZipFile(f"'{info.filename}' is encrypted")
            return self.archive.read(info)
        except _BROKEN as error:
            raise _broken(self.path, error) from error


def _place_in_zip(info: zipfile.ZipInfo, holder: str) -> Place | None:
    """Return where a member can be read alone, or None for what only `zipfile` unpacks."""
    storage = _ZIP_STORAGE.get(info.compress_type)
    if storage is None or info.flag_bits & _ENCRYPTED:
        return None
    return Place(storage, holder, info.header_offset, info.compress_size)


def _tar_members(path: Path) -> Iterator[Member]:
    try:
        with opened_tar(path) as (archive, stream):
            holder = None if stream.is_packed else str(path.resolve())
            for info in tar_headers(archive, stream, path):
                _check_kind(info, path)
                read = partial(_read_tar, archive, info, path)
                place = None
                if holder is not None:
                    place = Place(Storage.PART, holder, info.offset_data, info.size)
                yield Member(_harmless(info.name), info.isdir(), info.size, read, place=place)
    except zstandard_errors() as error:
        raise tarfile.ReadError(str(error)) from error


def _check_kind(info: tarfile.TarInfo, path: Path) -> None:
    """Raise DataError for a member that is no file or folder with all of its bytes."""
    if info.islnk() or info.issym():
        raise DataError(
            f"'{path}' stores '{info.name}' as a link; pack the files themselves "
            "(tar --dereference --hard-dereference)."
        )
    if info.issparse():
        raise DataError(
            f"'{path}' stores '{info.name}' with holes; pack it again without --sparse."
        )
    if info.isdev():
        raise DataError(f"'{path}' stores '{info.name}' as a device or pipe; leave it out.")


def _read_tar(archive: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> bytes:
    try:
        file = archive.extractfile(info)
        return b"" if file is None else file.read()
    except _BROKEN as error:
        raise _broken(path, error) from error


def _harmless(name: str) -> str:
    """Drop what would lead out of the archive: a leading `/` and any `..` that climbs out."""
    return posixpath.normpath("/" + name).lstrip("/")


def _broken(path: Path, error: Exception) -> DataError:
    if isinstance(error, RecursionError):
        error = tarfile.ReadError("headers that only announce headers")
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
    return DataError(f"cannot read the archive '{path}' ({reason}); download or pack it again.")

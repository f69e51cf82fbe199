"""Fetch official files once, and check that they are the ones that were meant."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ddcodec.datasets.request import LoadProgress, OnProgress
from ddcodec.errors import DataError
from ddcodec.kept.lock import claim, is_abandoned
from ddcodec.kept.writing import PARTIAL, write_through

TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 2**20
_BEGINNING = ".{}."  # of the names of what is being fetched
_RANGE_STARTS_AFTER_THE_END = 416


@dataclass(frozen=True)
class OfficialFile:
    """Say where a file is published and what it is.

    Attributes:
        path: where it is kept, below the folder of downloads.
        url: where it comes from.
        sha256: hex digest of its bytes.
        num_bytes: its length.
    """

    path: str
    url: str
    sha256: str
    num_bytes: int

    @property
    def name(self) -> str:
        """Return the file name."""
        return self.path.rpartition("/")[2]


def downloads_dir(cache_dir: Path) -> Path:
    """Return the folder of downloads in a cache."""
    return cache_dir / "downloads"


def download(file: OfficialFile, cache_dir: Path, on_progress: OnProgress) -> Path:
    """Return the file's place in the cache, downloaded unless it is there already.

    The file appears under its name only once its SHA-256 is right. What an interrupted download
    has fetched is kept as `NAME.part`, and the next one goes on from there. Raises DataError
    without a network, for a wrong checksum, and where the cache cannot be written.
    """
    target = downloads_dir(cache_dir) / file.path
    if target.exists():
        check_sha256(target, file.sha256)
        return target
    with _partial(target, file.num_bytes) as temporary:
        _fetch(file, temporary, target, on_progress)
        try:
            check_sha256(temporary, file.sha256, shown=file.url)
        except DataError:
            # Going on from damaged bytes would never end well.
            temporary.unlink()
            raise
        write_through(temporary)
        temporary.replace(target)
        write_through(target.parent)
    return target


def downloaded_bytes(files: tuple[OfficialFile, ...], cache_dir: Path) -> int:
    """Return how many bytes of the files are in the cache, unfinished downloads included."""
    paths = [downloads_dir(cache_dir) / file.path for file in files]
    paths += [path.with_name(f"{path.name}.part") for path in paths]
    return sum(path.stat().st_size for path in paths if path.is_file())


def check_sha256(path: Path, sha256: str, shown: str | None = None) -> None:
    """Raise DataError unless the file has this hex SHA-256; `shown` names it in the message."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror}; check its mode.") from error
    if digest.hexdigest() != sha256:
        raise DataError(
            f"'{shown or path}' is damaged or not the official file: its SHA-256 is "
            f"{digest.hexdigest()} instead of {sha256}; delete it and download it again."
        )


@contextmanager
def _partial(target: Path, num_bytes: int) -> Iterator[Path]:
    """Yield a file of this process alone that holds what was fetched before, often nothing."""
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        begun = _abandoned(target)
        prefix = _BEGINNING.format(target.name)
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=PARTIAL, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        for left in (*begun, part):
            # Of two processes one gets it: a rename takes it away from the other.
            with suppress(FileNotFoundError):
                if left.stat().st_size >= temporary.stat().st_size:
                    left.replace(temporary)
                else:
                    left.unlink()
        free = shutil.disk_usage(target.parent).free + temporary.stat().st_size
    except OSError as error:
        raise DataError(
            f"cannot write the cache in '{target.parent}' ({error.strerror}); set DDC_CACHE to a "
            "writable folder."
        ) from error
    handle = os.open(temporary, os.O_RDONLY)
    try:
        claim(handle)
        if free < num_bytes:
            raise DataError(
                f"'{target.name}' has {num_bytes / 1e6:,.0f} MB but '{target.parent}' has room "
                f"for {free / 1e6:,.0f} MB; set DDC_CACHE to a folder with more room."
            )
        yield temporary
    finally:
        os.close(handle)
        if temporary.exists():
            if temporary.stat().st_size:
                temporary.replace(part)
            else:
                temporary.unlink()


def _abandoned(target: Path) -> list[Path]:
    """Return what killed processes have fetched of a file."""
    beginning = _BEGINNING.format(target.name)
    return [
        path
        for path in target.parent.iterdir()
        if path.name.startswith(beginning) and path.suffix == PARTIAL and is_abandoned(path)
    ]


def _fetch(file: OfficialFile, temporary: Path, target: Path, on_progress: OnProgress) -> None:
    """Append to `temporary` what it lacks."""
    try:
        start = temporary.stat().st_size
        if start >= file.num_bytes:
            # Complete, or not of this file; the checksum tells.
            return
        request = urllib.request.Request(file.url)
        if start:
            request.add_header("Range", f"bytes={start}-")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                goes_on = getattr(response, "status", None) == http.client.PARTIAL_CONTENT
                with temporary.open("ab" if goes_on else "wb") as out:
                    _copy(response, out, file, on_progress)
        except urllib.error.HTTPError as error:
            if error.code == _RANGE_STARTS_AFTER_THE_END:
                temporary.write_bytes(b"")
            raise
        fetched = temporary.stat().st_size
        if fetched < file.num_bytes:
            raise EOFError(f"it ended after {fetched:,} of {file.num_bytes:,} bytes")
    except (OSError, EOFError, ValueError, http.client.HTTPException) as error:
        raise DataError(
            f"cannot download {file.url} ({error}); try again to go on from there, put the file "
            f"at '{target}' yourself, or pass --data with a copy."
        ) from error


def _copy(response: BinaryIO, out: BinaryIO, file: OfficialFile, on_progress: OnProgress) -> None:
    # A byte more than there should be is enough to know that it is another file.
    while room := file.num_bytes + 1 - out.tell():
        chunk = response.read(min(_CHUNK, room))
        if not chunk:
            return
        out.write(chunk)
        done, total = round(out.tell() / 1e6), round(file.num_bytes / 1e6)
        on_progress(LoadProgress("downloading", done, total, "MB"))

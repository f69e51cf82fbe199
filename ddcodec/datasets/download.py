"""Fetch a file once and check that it is the one that was meant."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.request
from pathlib import Path
from typing import BinaryIO

from ddcodec.errors import DataError

TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 2**20


def download(url: str, sha256: str, target: Path) -> Path:
    """Return `target`, downloaded from `url` unless it is there already.

    The file appears under its name only once its SHA-256 is right. Raises DataError without a
    network, for a wrong checksum, and where the folder of `target` cannot be written.
    """
    if target.exists():
        check_sha256(target, sha256)
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".downloading-", dir=target.parent)
    except OSError as error:
        raise DataError(
            f"cannot write the cache in '{target.parent}' ({error.strerror}); set DDC_CACHE to a "
            "writable folder."
        ) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _fetch(url, file, target)
        check_sha256(temporary, sha256, shown=url)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


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


def _fetch(url: str, file: BinaryIO, target: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"cannot download {url} ({error}); put the file at '{target}' yourself, or pass "
            "--data with a copy."
        ) from error

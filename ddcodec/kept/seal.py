"""Checksums of what is kept: put in when it is written, compared before it is used."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddcodec.errors import DataError
from ddcodec.kept.writing import write_atomically

CHECKSUM = "sha256"
"""Name of the checksum in sealed JSON."""

MARK = b"ddcseal1"
_SEAL_BYTES = len(MARK) + hashlib.sha256().digest_size
_CHUNK = 2**20


def sealed(data: bytes) -> bytes:
    """Return bytes with the mark and the SHA-256 of them behind."""
    return data + MARK + hashlib.sha256(data).digest()


def check_seal(path: Path) -> None:
    """Read a sealed file once, some at a time, and compare its checksum.

    Raises:
        DataError: if it cannot be read, has no seal, or is not what was written.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            left = stream.seek(0, io.SEEK_END) - _SEAL_BYTES
            stream.seek(0)
            while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
                digest.update(chunk)
                left -= len(chunk)
            seal = stream.read()
    except OSError as error:
        raise DataError(f"Cannot read '{path}': {error.strerror}.") from error
    if not seal.startswith(MARK):
        raise DataError(f"'{path}' is damaged or of another release: it has no checksum.")
    if seal != MARK + digest.digest():
        raise DataError(f"'{path}' is damaged: its checksum is not that of its content.")


def is_sound(path: Path) -> bool:
    """Tell whether a sealed file is what was written."""
    try:
        check_seal(path)
    except DataError:
        return False
    return True


def save_sealed(content: Any, path: Path) -> None:
    """Write tensors, numbers and text in dictionaries and lists, sealed, whole or not at all.

    Raises:
        OutputError: if the folder cannot be written.
    """
    write_atomically(sealed_tensors(content), path)


def sealed_tensors(content: Any) -> bytes:
    """Return the bytes of a file of `save_sealed`."""
    import torch

    stream = io.BytesIO()
    torch.save(content, stream)
    return sealed(stream.getvalue())


def load_sealed(path: Path, mmap: bool = False) -> Any:
    """Return what `save_sealed` wrote, on the CPU.

    Args:
        path: of the file.
        mmap: Map tensors, so that they are read a second time where they are used.

    Raises:
        DataError: if it cannot be read or is damaged.
    """
    import torch

    check_seal(path)
    try:
        # An archive may have something behind it; nothing in it is executed.
        return torch.load(path, map_location="cpu", mmap=mmap, weights_only=True)
    except Exception as error:
        # Reading a crafted archive goes wrong in many ways.
        raise DataError(f"'{path}' is damaged: it cannot be read.") from error


def sealed_json(facts: Mapping[str, Any]) -> bytes:
    """Return JSON with a checksum of all its facts."""
    whole = {**facts, CHECKSUM: _checksum(facts)}
    return (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode()


class ChecksumError(ValueError):
    """JSON is not what was written."""


def unsealed_json(data: bytes) -> dict[str, Any]:
    """Return the facts of sealed JSON, which ddc alone writes.

    Raises:
        ChecksumError: if it has no checksum, or is not what was written.
        ValueError: if it is no JSON object.
    """
    return _facts(data, may_lack_checksum=False)


def checked_json(data: bytes) -> dict[str, Any]:
    """Return the facts of a result, whose checksum is compared where it has one.

    One without may be of an earlier release, or of somebody who changed it and took that line out.

    Raises:
        ChecksumError: if it is not what was written.
        ValueError: if it is no JSON object.
    """
    return _facts(data, may_lack_checksum=True)


def _facts(data: bytes, may_lack_checksum: bool) -> dict[str, Any]:
    facts = json.loads(data)
    if not isinstance(facts, dict):
        raise ValueError("no facts")
    if may_lack_checksum and CHECKSUM not in facts:
        return facts
    if facts.pop(CHECKSUM, None) != _checksum(facts):
        raise ChecksumError("its checksum is not that of its content")
    return facts


def _checksum(facts: Mapping[str, Any]) -> str:
    # Through JSON once: it has lists where Python has tuples, and names where it has numbers.
    plain = json.loads(json.dumps(facts))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

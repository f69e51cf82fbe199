"""Reading and decoding a file: from a path, from bytes, or from what is open for reading."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ddcodec.errors import DataError, FormatError
from ddcodec.format.limits import DecodeLimits

if TYPE_CHECKING:
    from ddcodec.codec.decode import DecodedFile, DecodedSymbols
    from ddcodec.codec.labels.chosen_classes import Classes

FileSource = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
"""A path, the bytes of a file, or what is open for reading bytes."""

PIECE_BYTES = 1 << 20
"""Read at a time: memory is taken for what there is, however much is allowed."""


def read_ddc(path: Path, limits: DecodeLimits | None = None) -> bytes:
    """Read a file of at most the allowed size.

    Raises:
        DataError: if it cannot be read.
        FormatError: if it is larger than the limit.
    """
    try:
        with path.open("rb", buffering=0) as stream:
            return _read_stream(stream, path, limits)
    except FileNotFoundError as error:
        raise DataError(f"'{path}' does not exist.") from error
    except IsADirectoryError as error:
        raise DataError(f"'{path}' is a folder, not a .ddc file.") from error
    except OSError as error:
        raise DataError(f"Cannot read '{path}': {error.strerror}.") from error
    except ValueError as error:
        raise DataError(f"{os.fspath(path)!a} is not a path.") from error


def decode_file(
    source: FileSource, limits: DecodeLimits | None = None, classes: Classes | None = None
) -> DecodedFile:
    """Read and decode a file, both checksums included, or some of its classes.

    Args:
        source: its path, its bytes, or what is open for reading bytes.
        limits: bounds on what it may take; None for the defaults.
        classes: see `decode_bytes`; None for all.

    Raises:
        DataError: if it cannot be read, or has no such class.
        FormatError: if it is no valid file within the limits; names the file.
    """
    from ddcodec.codec.decode import decode_bytes

    if isinstance(source, bytes | bytearray | memoryview):
        return decode_bytes(bytes(source), limits, classes)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        data = read_ddc(path, limits)
    else:
        path = Path(str(getattr(source, "name", "the open file")))
        data = _read_stream(source, path, limits)
    with naming(path):
        return decode_bytes(data, limits, classes)


def _read_stream(stream: IO[bytes], path: Path, limits: DecodeLimits | None) -> bytes:
    limit = (limits or DecodeLimits()).max_file_bytes
    data = bytearray()
    while piece := _read_piece(stream, path, min(PIECE_BYTES, limit + 1 - len(data))):
        data += piece
    if len(data) > limit:
        raise FormatError(
            f"'{path}' is larger than {limit} bytes, the limit for a file; raise it with "
            "--max-bytes if you trust the file."
        )
    return bytes(data)


def _read_piece(stream: IO[bytes], path: Path, num_bytes: int) -> bytes:
    try:
        piece = stream.read(num_bytes)
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"Cannot read '{path}': {error}.") from error
    if not isinstance(piece, bytes):
        raise DataError(f"'{path}' is open for reading text; open it with 'rb'.")
    return piece


def decode_file_symbols(
    path: Path, limits: DecodeLimits | None = None, classes: Classes | None = None
) -> DecodedSymbols:
    """Read a file and decode all but its pixels; these follow batch by batch, and verify it.

    Arguments are those of `decode_symbols`.

    Raises:
        DataError: if it cannot be read, or has no such class.
        FormatError: if it is no valid file within the limits; names the file.
    """
    from ddcodec.codec.decode import decode_symbols

    data = read_ddc(path, limits)
    with naming(path):
        return decode_symbols(data, limits, classes)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the name of a file in front of what is wrong with it."""
    try:
        yield
    except FormatError as error:
        raise FormatError(f"'{path}': {error}") from error

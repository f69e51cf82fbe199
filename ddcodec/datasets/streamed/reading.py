"""Read single files out of folders, tars, zips and tables."""

from __future__ import annotations

import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.streamed.decoding import EncodedImage
from ddcodec.datasets.streamed.places import PlaceTable
from ddcodec.datasets.tables.parquet import ParquetImages
from ddcodec.datasets.trees.image import MAX_RESIZED_FILE_BYTES
from ddcodec.datasets.trees.member import Place, Storage
from ddcodec.errors import DataError

OPEN_ARCHIVES = 16

_LOCAL = struct.Struct("<4s22xHH")
_LOCAL_SIGNATURE = b"PK\x03\x04"


class PlacedFiles:
    """Read the files of a table; for one thread.

    Args:
        source: the folder that files by themselves lie in.
        table: where each lies.
    """

    def __init__(self, source: Path, table: PlaceTable) -> None:
        self._source, self._table = source, table
        self._holders = table.holder_paths()
        self._archives: OrderedDict[str, IO[bytes]] = OrderedDict()
        self._tables: dict[str, ParquetImages] = {}

    def files(self, rows: NDArray[np.int64]) -> Iterator[EncodedImage]:
        """Yield the files of rows in the order they lie in, each with its position in `rows`.

        Raises:
            DataError: One cannot be read, or is not what it was.
        """
        order = self._table.in_order(rows).tolist()
        for holder, group in groupby(order, lambda at: int(self._table.holder[rows[at]])):
            positions = list(group)
            for position, data in zip(
                positions, self._bytes(rows[positions].tolist(), holder), strict=True
            ):
                row = int(rows[position])
                area = int(self._table.areas[row])
                yield EncodedImage(position, self._table.name(row), data, area)

    def _bytes(self, rows: Sequence[int], holder: int) -> Iterator[bytes]:
        if self._table.storage[rows[0]] == Storage.TABLE_ROW:
            path = self._holders[holder]
            images = self._tables.setdefault(path, ParquetImages(Path(path)))
            yield from images.at([int(self._table.offsets[row]) for row in rows])
            return
        for row in rows:
            yield self._read(self._table.name(row), self._table.place(row, self._holders))

    def _read(self, name: str, place: Place) -> bytes:
        path = self._source / name if place.storage == Storage.FILE else Path(place.holder)
        try:
            if place.storage == Storage.FILE:
                return path.read_bytes()
            archive = self._archive(place.holder)
            archive.seek(place.offset)
            if place.storage == Storage.PART:
                data = archive.read(place.size)
            else:
                data = _of_zip(archive, place)
        except (OSError, ValueError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error) or "damaged"
            raise DataError(
                f"cannot read '{name}' again in '{path}' ({reason.lower()}); leave the images "
                "where they are while they are used."
            ) from error
        return data

    def _archive(self, path: str) -> IO[bytes]:
        if path in self._archives:
            self._archives.move_to_end(path)
            return self._archives[path]
        if len(self._archives) >= OPEN_ARCHIVES:
            self._archives.popitem(last=False)[1].close()
        # Open as long as it is among the last that were read.
        archive = self._archives[path] = Path(path).open("rb")  # noqa: SIM115
        return archive


def _of_zip(archive: IO[bytes], place: Place) -> bytes:
    """Return the bytes of a member whose header begins here; raises ValueError for none."""
    head = archive.read(_LOCAL.size)
    if len(head) < _LOCAL.size:
        raise ValueError("it ends early")
    signature, name_bytes, extra_bytes = _LOCAL.unpack(head)
    if signature != _LOCAL_SIGNATURE:
        raise ValueError("it has changed")
    archive.seek(name_bytes + extra_bytes, 1)
    data = archive.read(place.size)
    if place.storage == Storage.ZIP_STORED:
        return data
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, MAX_RESIZED_FILE_BYTES + 1)

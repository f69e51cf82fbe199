"""Images of a split as an array that holds few of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.streamed.decoding import EncodedImage, decode_each, usable_cores
from ddcodec.datasets.streamed.reading import PlacedFiles
from ddcodec.errors import DataError

DecodePixels = Callable[[bytes, str], NDArray[np.uint8]]
"""(bytes of a file, what it is called) → uint8 C×H×W"""


@dataclass(frozen=True)
class ImageStore:
    """Where images are.

    Attributes:
        shape: C×H×W of each.
        kept: the first images, uint8 K×C×H×W, usually mapped from the cache.
        files: where all lie; None where all are kept.
        decode: makes pixels of a file; None likewise.
        checksums: uint32 N, the CRC-32 of the pixels of each, or None before they are known.
    """

    shape: tuple[int, int, int]
    kept: NDArray[np.uint8]
    files: PlacedFiles | None = None
    decode: DecodePixels | None = None
    checksums: NDArray[np.uint32] | None = None

    def taken(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return images M×C×H×W by their rows; raises DataError for one that has changed."""
        images = np.empty((len(rows), *self.shape), dtype=np.uint8)
        is_kept = rows < len(self.kept)
        images[is_kept] = self.kept[rows[is_kept]]
        positions = np.flatnonzero(~is_kept)
        if not len(positions):
            return images
        files, decode, wanted = self.files, self.decode, rows[positions]
        assert files is not None and decode is not None

        def put(file: EncodedImage, pixels: NDArray[np.uint8]) -> None:
            self._check(file.path, int(wanted[file.number]), pixels)
            images[positions[file.number]] = pixels

        threads = min(usable_cores(), len(wanted))
        decode_each(files.files(wanted), lambda one: decode(one.data, one.path), put, threads)
        return images

    def _check(self, path: str, row: int, pixels: NDArray[np.uint8]) -> None:
        is_same = self.checksums is None or pixel_checksum(pixels) == self.checksums[row]
        if pixels.shape != self.shape or not is_same:
            raise DataError(
                f"'{path}' gives other pixels than when it was read first: it was changed, or "
                "another Pillow decodes it; delete what the cache holds of this dataset and try "
                "again."
            )


class StreamedImages:
    """Look like an array uint8 N×C×H×W; see `base.Pixels`.

    What is asked for is in memory, and nothing else: images that are not kept are decoded each
    time, by as many threads as there are cores.

    Args:
        store: what they are taken from.
        rows: which of its images, N.
        fingerprint: see `base.training_fingerprint`, where it is known.

    Raises:
        DataError: When an image is asked for that cannot be read or is not what it was.
    """

    def __init__(
        self, store: ImageStore, rows: NDArray[np.int64], fingerprint: str | None = None
    ) -> None:
        self._store, self._rows, self.fingerprint = store, rows, fingerprint

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return N×C×H×W."""
        return (len(self._rows), *self._store.shape)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Return uint8."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any, /) -> NDArray[np.uint8]:
        """Return one image C×H×W for a number, and images M×C×H×W for a slice, rows or a mask."""
        wanted = np.asarray(self._rows[rows])
        if wanted.ndim == 0:
            image: NDArray[np.uint8] = self._store.taken(wanted[None])[0]
            return image
        return self._store.taken(wanted)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all images, in memory."""
        images: NDArray[Any] = self[:] if dtype is None else self[:].astype(dtype)
        return images

    def chosen(self, rows: NDArray[np.int64], fingerprint: str | None = None) -> StreamedImages:
        """Return some of the images, none of which is read before it is asked for."""
        return StreamedImages(self._store, self._rows[rows], fingerprint)


def pixel_checksum(pixels: NDArray[np.uint8]) -> int:
    """Return the CRC-32 of an image C×H×W."""
    return zlib.crc32(np.ascontiguousarray(pixels).data)

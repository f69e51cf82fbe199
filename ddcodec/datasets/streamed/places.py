"""Where the images of a split lie, as a table that takes some tens of bytes for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.trees.member import Place, Storage


@dataclass(frozen=True)
class PlaceTable:
    """Hold places in arrays.

    Attributes:
        names: uint8, the UTF-8 of what images are called, one behind the other.
        ends: int64 N, where in `names` each ends.
        holders: uint8, the UTF-8 of the paths of archives and tables, each with a zero behind.
        holder: int32 N, the number of each in `holders`, or -1.
        storage: uint8 N, see `Storage`.
        offsets: int64 N.
        sizes: int64 N.
        areas: int32 N, pixels that each has where it lies.
    """

    names: NDArray[np.uint8]
    ends: NDArray[np.int64]
    holders: NDArray[np.uint8]
    holder: NDArray[np.int32]
    storage: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    areas: NDArray[np.int32]

    @classmethod
    def of(cls, names: Sequence[str], places: Sequence[Place], areas: Sequence[int]) -> PlaceTable:
        """Return a table of images in their order."""
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        paths = sorted({place.holder for place in places if place.holder})
        numbers = {path: number for number, path in enumerate(paths)}
        joined = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
        return cls(
            np.frombuffer(b"".join(encoded), dtype=np.uint8),
            np.cumsum([len(name) for name in encoded], dtype=np.int64),
            np.frombuffer(joined, dtype=np.uint8),
            np.array([numbers.get(place.holder, -1) for place in places], dtype=np.int32),
            np.array([place.storage for place in places], dtype=np.uint8),
            np.array([place.offset for place in places], dtype=np.int64),
            np.array([place.size for place in places], dtype=np.int64),
            np.array(areas, dtype=np.int32),
        )

    def __len__(self) -> int:
        return len(self.ends)

    def name(self, row: int) -> str:
        """Return what an image is called."""
        start = int(self.ends[row - 1]) if row else 0
        return self.names[start : int(self.ends[row])].tobytes().decode("utf-8", "surrogateescape")

    def holder_paths(self) -> list[str]:
        """Return the paths of archives and tables by their numbers."""
        found = self.holders.tobytes().split(b"\0")[:-1]
        return [path.decode("utf-8", "surrogateescape") for path in found]

    def place(self, row: int, holder_paths: Sequence[str]) -> Place:
        """Return where an image lies."""
        holder = int(self.holder[row])
        return Place(
            Storage(int(self.storage[row])),
            "" if holder < 0 else holder_paths[holder],
            int(self.offsets[row]),
            int(self.sizes[row]),
        )

    def in_order(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions in `rows` in the order in which what they name lies."""
        keys = (np.arange(len(rows)), self.offsets[rows], self.holder[rows])
        return np.lexsort(keys).astype(np.int64)

    def save(self, path: Path) -> None:
        """Write the arrays to an .npz."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> PlaceTable:
        """Read what `save` wrote; raises ValueError, KeyError or OSError for something else."""
        with np.load(path, allow_pickle=False) as arrays:
            table = cls(*(arrays[field.name] for field in fields(cls)))
        if len({len(column) for column in (table.ends, table.holder, table.offsets)}) > 1:
            raise ValueError("columns of different lengths")
        return table

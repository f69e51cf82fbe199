"""A training set of any kind that commands can look at: a `.ddc`, or images of other methods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddcodec.format.limits import DecodeLimits
from ddcodec.results.inspection import file_bytes
from ddcodec.results.reading import decode_file

DDC_SUFFIX = ".ddc"


@dataclass(frozen=True)
class KnownSet:
    """A training set and what it takes on the disk.

    Attributes:
        path: where it is.
        num_images: images in it.
        num_classes: classes it knows of.
        num_bytes: size of the file, or of all files in the folder.
    """

    path: Path
    num_images: int
    num_classes: int
    num_bytes: int

    @property
    def kind(self) -> str:
        """What it is: `.ddc`, `folder` or the suffix of the file."""
        return "folder" if self.path.is_dir() else self.path.suffix


def read_training_set(path: Path, limits: DecodeLimits) -> KnownSet:
    """Read a `.ddc`, an image folder or archive, an `.npz` or a `.pt`.

    Raises:
        DataError: if it cannot be read.
        FormatError: if a `.ddc` is no valid file within the limits.
    """
    from ddcodec.kept.paths import user_path

    path = user_path(path)
    if path.suffix == DDC_SUFFIX or not path.exists():
        decoded = decode_file(path, limits)
        header = decoded.header
        return KnownSet(path, header.num_images, header.num_classes, file_bytes(decoded.container))
    from ddcodec.datasets.given_images import load_given_images

    dataset = load_given_images(path).dataset
    return KnownSet(path, len(dataset.train.labels), dataset.num_classes, _size_on_disk(path))


def _size_on_disk(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())

"""What a loader is asked for, and how it says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ddcodec.datasets.trees.resize import ImageSize


@dataclass(frozen=True)
class LoadProgress:
    """Say how far loading is; only what is not in the cache yet takes long enough to say.

    Attributes:
        stage: what is being done, such as `downloading` or `decoding`.
        done: how many there are already.
        total: how many there will be, or None where that is not known yet.
        unit: `MB` or `images`.
    """

    stage: str
    done: int
    total: int | None
    unit: str

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total:,}"
        return f"{self.stage}, {self.done:,}{of} {self.unit}"


OnProgress = Callable[[LoadProgress], None]


def ignore_progress(progress: LoadProgress) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class LoadRequest:
    """Ask for a dataset.

    Attributes:
        name: what it will be called.
        data: an existing folder or file that holds it, or None for the official source.
        cache_dir: where decoded arrays and downloads are kept.
        size: what to bring all images to, or None to take them as they are.
        on_progress: called now and then while images are downloaded or decoded.
        cache_limit: bytes of pixels that a dataset may take in the cache and at a time in memory,
            or None for any number.
        one_class: whether a folder of a single class is meant, and no mistake.
    """

    name: str
    data: Path | None
    cache_dir: Path
    size: ImageSize | None = None
    on_progress: OnProgress = ignore_progress
    one_class: bool = False
    cache_limit: int | None = None

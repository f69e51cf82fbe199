"""What is known of a dataset by its name, before anything of it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.request import LoadRequest
from ddcodec.datasets.sources.download import OfficialFile

DatasetLoader = Callable[[LoadRequest], Dataset]
"""Loads one kind of dataset; raises DataError."""


@dataclass(frozen=True)
class NamedDataset:
    """Describe a dataset that `ddc` knows by name.

    Attributes:
        load: loads it.
        num_classes: how many classes it has.
        shape: C×H×W of its images.
        train_images: how many there are, or None where that is not known beforehand.
        test_images: likewise, of those that are tested on.
        home: where its authors publish it, or what makes it.
        files: what is downloaded; none where it is made here or has to be brought.
    """

    load: DatasetLoader
    num_classes: int
    shape: tuple[int, int, int]
    train_images: int | None
    test_images: int | None
    home: str
    files: tuple[OfficialFile, ...] = ()

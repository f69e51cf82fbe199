"""Image classification datasets, embedded, downloaded or the user's own, as NumPy arrays."""

from __future__ import annotations

from pathlib import Path

from ddcodec.datasets.archive import ARCHIVE_SUFFIXES
from ddcodec.datasets.base import (
    Dataset,
    DatasetLoader,
    ImageSplit,
    class_counts,
    normalisation,
    split_validation,
)
from ddcodec.datasets.cache import default_cache_dir
from ddcodec.datasets.cifar10 import load_cifar10
from ddcodec.datasets.folder import load_folder
from ddcodec.datasets.glyphs import generate_glyphs, load_glyphs
from ddcodec.datasets.source import source_exists, source_name, user_path
from ddcodec.errors import DataError

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetLoader",
    "ImageSplit",
    "class_counts",
    "default_cache_dir",
    "generate_glyphs",
    "load_dataset",
    "load_folder",
    "normalisation",
    "split_validation",
]

DATASETS: dict[str, DatasetLoader] = {
    "glyphs": load_glyphs,
    "cifar10": load_cifar10,
}


def load_dataset(
    name: str, data: str | Path | None = None, cache_dir: Path | None = None
) -> Dataset:
    """Load a dataset by name, by path, or by a name of your choice for the images at `data`.

    `name` is a key of DATASETS, or, without `data`, the path of an image folder or archive;
    `data` is a folder or archive that overrides the default source; `cache_dir` is where
    decoded arrays are kept, by default `default_cache_dir()`. Raises DataError.
    """
    cache_dir = default_cache_dir() if cache_dir is None else cache_dir
    path = None if data is None else user_path(data)
    loader = DATASETS.get(name)
    if loader is not None:
        return loader(name, path, cache_dir)
    if path is not None:
        return load_folder(name, path, cache_dir)
    named = user_path(name)
    if name and source_exists(named):
        return load_folder(source_name(named), named, cache_dir)
    raise DataError(
        f"unknown dataset '{name}'; choose {' or '.join(DATASETS)}, or pass --data with a folder "
        f"of images or an archive ({', '.join(ARCHIVE_SUFFIXES)})."
    )

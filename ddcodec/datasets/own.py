"""Load images of the user's own, and bring any dataset to one size."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from ddcodec.datasets.base import Dataset, ImageSplit
from ddcodec.datasets.cache import cached_dataset
from ddcodec.datasets.cached_arrays import allocate_split
from ddcodec.datasets.files import load_files
from ddcodec.datasets.given_images import load_given_images
from ddcodec.datasets.in_arrays.npz import is_npz_name
from ddcodec.datasets.request import LoadProgress, LoadRequest
from ddcodec.datasets.trees.resize import fit_pixels
from ddcodec.datasets.trees.tree import PROGRESS_IMAGES

__all__ = ["is_npz_name", "load_own", "resized"]

TORCH_SUFFIXES = (".pt", ".pth")


def load_own(request: LoadRequest) -> Dataset:
    """Load what `load_files` does, or the tensors of a `.pt`; raises DataError."""
    data = request.data
    if data is not None and data.suffix.lower() in TORCH_SUFFIXES and data.is_file():
        dataset = load_given_images(data, request.cache_dir).dataset
        return resized(replace(dataset, name=request.name), request)
    return load_files(request)


def resized(dataset: Dataset, request: LoadRequest) -> Dataset:
    """Return a dataset at the size that is asked for, resized once and kept in the cache.

    See `resize.fit`. Raises DataError where the cache cannot be written.
    """
    size = request.size
    if size is None or (dataset.height, dataset.width) == (size.height, size.width):
        return dataset

    def build(folder: Path) -> tuple[str, ...]:
        for name, split in (("train", dataset.train), ("test", dataset.test)):
            if split is not None:
                _resize_split(split, name, folder)
        return dataset.class_names

    def _resize_split(split: ImageSplit, name: str, folder: Path) -> None:
        shape = (len(split), dataset.channels, size.height, size.width)
        images, labels = allocate_split(folder, name, shape, request.cache_limit)
        labels[:] = split.labels
        for index in range(len(split)):
            images[index] = fit_pixels(split.images[index], size)
            if index % PROGRESS_IMAGES == 0:
                request.on_progress(LoadProgress("resizing", index, len(split), "images"))

    key = hashlib.sha256(f"{dataset.fingerprint} at {size}".encode()).hexdigest()
    return cached_dataset(request.name, key, request.cache_dir, build, request.cache_limit)

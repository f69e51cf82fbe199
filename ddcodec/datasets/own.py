"""Load images of the user's own: a tree of files, or arrays in an .npz."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ddcodec.datasets.base import Dataset, ImageSplit
from ddcodec.datasets.cache import allocate_split, cached_dataset
from ddcodec.datasets.in_arrays.npz import is_npz_name, load_npz
from ddcodec.datasets.request import LoadProgress, LoadRequest
from ddcodec.datasets.trees.folder import load_tree
from ddcodec.datasets.trees.resize import fit_pixels
from ddcodec.datasets.trees.tree import PROGRESS_IMAGES

__all__ = ["is_npz_name", "load_own", "resized"]


def load_own(request: LoadRequest) -> Dataset:
    """Load an image folder, an archive of one or an .npz; raises DataError."""
    if request.data is not None and is_npz_name(request.data):
        return load_npz(request)
    return load_tree(request)


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
        images, labels = allocate_split(folder, name, shape)
        labels[:] = split.labels
        for index, pixels in enumerate(split.images):
            images[index] = fit_pixels(pixels, size)
            if index % PROGRESS_IMAGES == 0:
                request.on_progress(LoadProgress("resizing", index, len(split), "images"))

    key = hashlib.sha256(f"{dataset.fingerprint} at {size}".encode()).hexdigest()
    return cached_dataset(request.name, key, request.cache_dir, build)

"""Image classification datasets, embedded, downloaded or the user's own, as NumPy arrays."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from ddcodec.datasets.base import (
    Dataset,
    ImageSplit,
    class_counts,
    normalisation,
    split_validation,
)
from ddcodec.datasets.cache import default_cache_limit
from ddcodec.datasets.in_arrays.arrays import from_arrays
from ddcodec.datasets.in_arrays.torch_dataset import from_torch
from ddcodec.datasets.named import DatasetLoader, NamedDataset
from ddcodec.datasets.own import load_own
from ddcodec.datasets.request import LoadProgress, LoadRequest, OnProgress, ignore_progress
from ddcodec.datasets.sources.cifar import CIFAR10, CIFAR100
from ddcodec.datasets.sources.glyphs import (
    GLYPHS,
    GLYPHS_50,
    GLYPHS_200,
    GLYPHS_1000,
    generate_glyphs,
)
from ddcodec.datasets.sources.imagenet import (
    IMAGEFRUIT128,
    IMAGEMEOW128,
    IMAGENETTE128,
    IMAGESQUAWK128,
    IMAGEWOOF128,
    IMAGEYELLOW128,
)
from ddcodec.datasets.sources.mnist import FASHION_MNIST, MNIST
from ddcodec.datasets.sources.stl10 import STL10
from ddcodec.datasets.sources.svhn import SVHN
from ddcodec.datasets.sources.tiny_imagenet import TINY_IMAGENET
from ddcodec.datasets.trees.archive import FILES_READ
from ddcodec.datasets.trees.folder import load_folder
from ddcodec.datasets.trees.resize import ImageSize
from ddcodec.datasets.trees.source import source_exists, source_name
from ddcodec.errors import DataError
from ddcodec.kept.paths import default_cache_dir, user_path

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetLoader",
    "ImageSize",
    "ImageSplit",
    "LoadProgress",
    "LoadRequest",
    "NamedDataset",
    "class_counts",
    "default_cache_dir",
    "from_arrays",
    "from_torch",
    "generate_glyphs",
    "load_dataset",
    "load_folder",
    "normalisation",
    "split_validation",
]

DATASETS: dict[str, NamedDataset] = {
    "glyphs": GLYPHS,
    "glyphs-50": GLYPHS_50,
    "glyphs-200": GLYPHS_200,
    "glyphs-1000": GLYPHS_1000,
    "mnist": MNIST,
    "fashion-mnist": FASHION_MNIST,
    "svhn": SVHN,
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "stl10": STL10,
    "tiny-imagenet": TINY_IMAGENET,
    "imagenette128": IMAGENETTE128,
    "imagewoof128": IMAGEWOOF128,
    "imagefruit128": IMAGEFRUIT128,
    "imageyellow128": IMAGEYELLOW128,
    "imagemeow128": IMAGEMEOW128,
    "imagesquawk128": IMAGESQUAWK128,
}


def load_dataset(
    name: str,
    data: str | Path | None = None,
    cache_dir: Path | None = None,
    size: ImageSize | int | tuple[int, int] | str | None = None,
    on_progress: OnProgress = ignore_progress,
    cache_limit: int | None = None,
) -> Dataset:
    """Load a dataset by name, by path, or by a name of your choice for the images at `data`.

    Args:
        name: a key of DATASETS, or, without `data`, the path of one's own images: a folder,
            archive, list of labels, table or file of arrays (docs/datasets.md).
        data: a path that overrides the default source.
        cache_dir: where decoded arrays are kept, by default `default_cache_dir()`.
        size: what to bring all images to, such as 128 or (96, 128), height first; the short side is
            scaled and the middle kept (`resize.fit`). By default images stay as they are.
        on_progress: called now and then while something is downloaded or decoded.
        cache_limit: bytes of decoded pixels that a dataset may take, by default
            `default_cache_limit()`. Images of one that takes more are read or decoded when needed.

    Raises:
        DataError: if there is no such dataset or something is wrong with it.
    """
    request = LoadRequest(
        name,
        None if data is None else user_path(data),
        default_cache_dir() if cache_dir is None else cache_dir,
        None if size is None else ImageSize.of(size),
        on_progress,
        cache_limit=default_cache_limit() if cache_limit is None else cache_limit,
    )
    if name in DATASETS:
        return DATASETS[name].load(request)
    if request.data is None:
        request = _by_path(request)
    return load_own(request)


def _by_path(request: LoadRequest) -> LoadRequest:
    """Return a request for the data whose path is given for a name."""
    path = user_path(request.name)
    if request.name and source_exists(path):
        return replace(request, name=source_name(path), data=path)
    near = get_close_matches(request.name, DATASETS, n=3, cutoff=0.6)
    what = f"near ones: {', '.join(near)}; " if near else ""
    raise DataError(
        f"unknown dataset '{request.name}'; {what}'ddc datasets' lists all, or pass --data with a "
        f"folder of images or a file ending in {FILES_READ}."
    )

"""Images and labels that somebody else made: a folder, an archive, `.npz` or `.pt`.

A distilled set of another method is one; so is what `ddc decode` writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import CHUNK_BYTES, Dataset, ImageSplit
from ddcodec.datasets.files import load_files
from ddcodec.datasets.in_arrays.array_labels import settle_labels
from ddcodec.datasets.in_arrays.stored_array import MAX_BYTES
from ddcodec.datasets.request import LoadRequest
from ddcodec.datasets.trees.resize import MAX_SIDE
from ddcodec.datasets.trees.source import source_exists, source_name
from ddcodec.errors import DataError
from ddcodec.kept.paths import default_cache_dir

ARRAY_SUFFIXES = (".npz", ".pt", ".pth")

Statistics = tuple[tuple[float, ...], tuple[float, ...]]

_TOLERANCE = 1e-3
"""By how much scaled pixels may leave [0, 1]."""


@dataclass(frozen=True)
class GivenImages:
    """A labelled set of images.

    Attributes:
        dataset: the images as its training split, as they came; it has no test images.
        has_names: whether the source names its classes.
        normalisation: mean and deviation of each channel that the source states, of pixels scaled
            to [0, 1], or None.
    """

    dataset: Dataset
    has_names: bool
    normalisation: Statistics | None = None


def load_given_images(path: Path, cache_dir: Path | None = None) -> GivenImages:
    """Read a folder or archive of images (its training part), tables, `.npz` or `.pt`.

    Arrays are named `images` (uint8, or floats scaled to [0, 1], or normalised with `mean` and
    `std` beside them; N×C×H×W, N×H×W×C or N×H×W) and `labels` (integers, N); `class_names`, `mean`
    and `std` may be there. A `.pt` may also hold the pair (images, labels).

    Raises:
        DataError: if something is missing, damaged or does not fit together.
    """
    if not source_exists(path):
        raise DataError(f"'{path}' does not exist; check the path of the images.")
    if path.suffix.lower() not in ARRAY_SUFFIXES or path.is_dir():
        name, cache = source_name(path), cache_dir or default_cache_dir()
        dataset = load_files(LoadRequest(name, path, cache, one_class=True))
        return GivenImages(dataset, has_names=True)
    from ddcodec.datasets.in_arrays.array_files import read_arrays

    return _from_arrays(read_arrays(path, MAX_BYTES), path)


def _from_arrays(arrays: Mapping[str, Any], path: Path) -> GivenImages:
    for name in ("images", "labels"):
        if name not in arrays:
            found = ", ".join(sorted(arrays)) or "nothing"
            raise DataError(f"'{path}' has no '{name}'; it holds {found}.")
    values = _channels_first(_array(arrays["images"], "images", path), path)
    statistics = _statistics(arrays, values.shape[1], path)
    images = _pixels(values, statistics, path)
    names = arrays.get("class_names")
    class_names = None if names is None else _names(names, path)
    given = _array(arrays["labels"], "labels", path)
    if given.ndim == 0 or len(given) != len(images):
        raise DataError(
            f"The labels in '{path}' must be {len(images)}, one for each image; they are "
            f"{'x'.join(map(str, given.shape)) or 'a single'} of {given.dtype}."
        )
    try:
        settled = settle_labels({"train": given}, class_names)
    except DataError as error:
        raise DataError(f"'{path}': {error}") from error
    labels = settled.splits["train"]
    names = settled.class_names if settled.notes else class_names
    digest = hashlib.sha256(repr((images.shape, names)).encode())
    digest.update(labels.astype("<i8").tobytes())
    for part in _parts(images):
        digest.update(part.tobytes())
    split = ImageSplit(images, labels)
    dataset = Dataset(
        path.stem, settled.class_names, split, None, digest.hexdigest(), settled.notes
    )
    return GivenImages(dataset, class_names is not None, statistics)


def _array(value: Any, name: str, path: Path) -> NDArray[Any]:
    """Return a tensor as an array; NumPy has no bfloat16."""
    try:
        is_short = value.is_floating_point() and value.element_size() < 4
        array: NDArray[Any] = (value.float() if is_short else value).numpy()
    except (AttributeError, TypeError) as error:
        raise DataError(f"'{name}' in '{path}' is no array; save it as one.") from error
    return array


def _channels_first(images: NDArray[Any], path: Path) -> NDArray[Any]:
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        shape = "x".join(map(str, images.shape))
        raise DataError(f"The images in '{path}' are {shape}; they must be NxCxHxW, C 1 or 3.")
    if max(images.shape[2:]) > MAX_SIDE:
        raise DataError(
            f"The images in '{path}' are larger than {MAX_SIDE}x{MAX_SIDE} pixels; resize them."
        )
    return images


def _pixels(images: NDArray[Any], statistics: Statistics | None, path: Path) -> NDArray[np.uint8]:
    """Return N×C×H×W as uint8."""
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    parts = _parts(images)
    # A few at a time: of all of them wide copies would be made.
    is_finite = all(np.isfinite(part).all() for part in parts)
    if not np.issubdtype(images.dtype, np.floating) or not is_finite:
        raise DataError(
            f"The images in '{path}' are neither uint8 nor finite floats; save them as uint8."
        )
    scale = None
    if images.min() < -_TOLERANCE or images.max() > 1 + _TOLERANCE:
        if statistics is None:
            raise DataError(
                f"The images in '{path}' run from {images.min():.4g} to {images.max():.4g}; save "
                "uint8, or floats from 0 to 1, or put 'mean' and 'std' beside normalised ones."
            )
        scale = tuple(np.array(values)[:, None, None] for values in statistics)
    pixels = np.empty(images.shape, dtype=np.uint8)
    for part, room in zip(parts, _parts(pixels), strict=True):
        unit = part if scale is None else part * scale[1] + scale[0]
        room[...] = np.rint(unit * 255).clip(0, 255)
    return pixels


def _parts(images: NDArray[Any]) -> list[NDArray[Any]]:
    """Return views of a few images each."""
    step = max(1, CHUNK_BYTES // images[0].size)
    return [images[start : start + step] for start in range(0, len(images), step)]


def _names(given: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(name, str | bytes) for name in given):
        raise DataError(f"'class_names' in '{path}' are no list of texts; save them as one.")
    return tuple(str(name) for name in given)


def _statistics(arrays: Mapping[str, Any], channels: int, path: Path) -> Statistics | None:
    if "mean" not in arrays or "std" not in arrays:
        return None
    try:
        mean, std = (
            tuple(float(value) for value in np.ravel(arrays[name])) for name in ("mean", "std")
        )
        fits = len(mean) == len(std) == channels
        fits = fits and all(0 <= value <= 1 for value in mean) and all(0 < v <= 1 for v in std)
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise DataError(
            f"'mean' and 'std' in '{path}' must be one number per channel, of pixels scaled to "
            "[0, 1], 'std' above 0."
        )
    return mean, std

"""What is to be judged: a `.ddc`, a folder or archive of images, or a file of arrays."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets import Dataset, default_cache_dir, load_folder
from ddcodec.datasets.archive import is_archive_name
from ddcodec.datasets.image import check_file_size, decode_image
from ddcodec.errors import DataError
from ddcodec.evaluation.array_files import IMAGES, LABELS, SUFFIXES, Arrays, pick, read_arrays
from ddcodec.evaluation.arrays import as_batch, as_labels, as_pixels, as_seen
from ddcodec.evaluation.labelled_images import LabelledImages, Stages
from ddcodec.networks.normalise import Renormalisation
from ddcodec.training_set import StudentRecipe, TrainingSet

if TYPE_CHECKING:
    from ddcodec.format.limits import DecodeLimits

Normalisation = tuple[Sequence[float], Sequence[float]]

MAX_BYTES = 2 << 30
_LIST, _COLUMNS = "labels.csv", ["filename", "label", "class"]


@dataclass(frozen=True)
class Candidate:
    """A training set to be judged, with labels as the dataset numbers its classes.

    Attributes:
        kind: ".ddc", "folder", "archive", ".npz", ".npy" or ".pt".
        images: uint8 N×C×H×W, or float32 of the range below; renditions of an image one after
            another.
        float_range: Key of `FLOAT_RANGES` for float images, else None.
        labels: int64 N.
        soft_labels: Probabilities, float32 N×classes, or None.
        normalisation: The mean and std that it carries, or None.
        stages: Labels any view, with feature maps, or None.
        renditions: Times each image is there.
        size_bytes: Of the file or files; that of a `.ddc` is all that is needed to train on it.
        advice: What a `.ddc` advises students.
    """

    kind: str
    images: Tensor
    labels: Tensor
    size_bytes: int
    float_range: str | None = None
    soft_labels: Tensor | None = None
    normalisation: Normalisation | None = None
    stages: Stages | None = None
    renditions: int = 1
    advice: StudentRecipe = field(default_factory=StudentRecipe)

    def labelled(self, normalisation: Normalisation) -> LabelledImages:
        """Return it as networks are trained on it; float images are neither rounded nor clipped."""
        images = self.images
        if self.float_range is not None:
            images = as_seen(images, self.float_range, normalisation)
        stages = _seen_with(self, normalisation)
        return LabelledImages(
            images,
            self.labels,
            *normalisation,
            self.soft_labels,
            None if stages is None else lambda seen: stages(seen)[0],
            self.renditions,
            stages,
        )


@dataclass(frozen=True)
class ReadOptions:
    """How to read what does not say it itself.

    Attributes:
        float_range: Key of `FLOAT_RANGES`; None takes float images in [0, 1] only.
        labels: File of the labels where the images' own has none.
        limits: Bounds on what is read; None for the defaults.
        renditions: Times each image of a `.ddc` is drawn; None for as many as it advises.
    """

    float_range: str | None = None
    labels: Path | None = None
    limits: DecodeLimits | None = None
    renditions: int | None = None

    @property
    def max_bytes(self) -> int:
        """Most bytes that arrays may take."""
        return MAX_BYTES if self.limits is None else self.limits.max_bytes


def read_candidate(path: Path, load_real: Callable[[], Dataset], options: ReadOptions) -> Candidate:
    """Read a training set that is to be judged on a dataset.

    Args:
        path: What to read.
        load_real: Loads the dataset; called once the file was found to be sound, where possible.
        options: How to read it.

    Raises:
        DataError: There is none, it is damaged, or it does not fit the dataset.
        FormatError: It is no valid `.ddc`.
    """
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return _read_arrays(path, load_real, options)
    if options.labels is not None or options.float_range is not None:
        raise DataError(
            f"--labels and --float-range are for files of arrays ({', '.join(SUFFIXES)}), which "
            f"'{path}' is not."
        )
    if path.is_dir():
        listed = (path / _LIST).is_file()
        return _read_list(path, load_real()) if listed else _read_tree(path, load_real())
    if is_archive_name(path):
        return _read_tree(path, load_real())
    return _read_ddc(path, load_real, options)


def _read_ddc(path: Path, load_real: Callable[[], Dataset], options: ReadOptions) -> Candidate:
    file = TrainingSet.load(path, options.limits, renditions=options.renditions)
    real = load_real()
    _check_shape(tuple(file.images.shape[1:]), real, path)
    labels = _renumbered(file.labels, file.class_names, real)
    # Column by column where the classes of the dataset stand in the file.
    order = _renumbered(torch.arange(real.num_classes), file.class_names, real).argsort()
    soft, labeler = file.soft_labels, file.labeler
    return Candidate(
        ".ddc",
        file.images,
        labels,
        file.file_size_bytes,
        soft_labels=None if soft is None else soft[:, order],
        normalisation=(file.mean, file.std),
        stages=None if labeler is None else _in_order(labeler.stages, order),
        renditions=options.renditions or file.recipe.renditions,
        advice=file.recipe,
    )


def _in_order(stages: Stages, order: Tensor) -> Stages:
    """Return a labeler whose logits stand in another order."""

    def ordered(images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        nonlocal order
        logits, maps = stages(images)
        # Kept there: waiting for it at every batch cannot be recorded (networks/replay.py).
        order = order.to(images.device)
        return logits[:, order], maps

    return ordered


def _seen_with(candidate: Candidate, normalisation: Normalisation) -> Stages | None:
    """Return a labeler for images that are normalised in another way than it expects."""
    stages, own = candidate.stages, candidate.normalisation
    if stages is None or own is None or own == normalisation:
        return stages
    renormalise = Renormalisation(normalisation, own)
    return lambda images: stages(renormalise(images))


def _read_tree(path: Path, real: Dataset) -> Candidate:
    tree = load_folder(path.name, path, default_cache_dir())
    _check_shape((tree.channels, tree.height, tree.width), real, path)
    labels = _renumbered(torch.from_numpy(tree.train.labels), tree.class_names, real)
    images = torch.from_numpy(np.array(tree.train.images))
    if path.is_dir():
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return Candidate("folder", images, labels, size)
    return Candidate("archive", images, labels, path.stat().st_size)


def _read_list(folder: Path, real: Dataset) -> Candidate:
    """Read what `ddc decode` wrote: images by the list beside them."""
    try:
        with (folder / _LIST).open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
        if header != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
            raise DataError(
                f"'{folder / _LIST}' is not the list that ddc decode writes; remove it to read "
                "the class folders."
            )
        images = [_listed_image(folder, row[0], real) for row in rows]
        numbers = torch.tensor([int(row[1]) for row in rows], dtype=torch.int64)
    except OSError as error:
        raise DataError(f"Cannot read '{error.filename}': {error.strerror}.") from error
    except (csv.Error, ValueError, OverflowError) as error:
        raise DataError(
            f"'{folder / _LIST}' is damaged; remove it to read the class folders."
        ) from error
    if not rows:
        raise DataError(f"'{folder / _LIST}' lists no images.")
    names = [row[2] for row in rows]
    strange = [name for name in names if name not in real.class_names]
    if not strange:
        numbers = torch.tensor([real.class_names.index(name) for name in names])
    elif not all(row[2].isdecimal() and int(row[1]) == int(row[2]) for row in rows):
        raise _not_a_class(strange[0], real)
    size = sum((folder / row[0]).stat().st_size for row in rows)
    return Candidate("folder", torch.from_numpy(np.stack(images)), numbers, size)


def _listed_image(folder: Path, name: str, real: Dataset) -> NDArray[np.uint8]:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"'{name}' in '{folder / _LIST}' is outside the folder; remove that line.")
    check_file_size(path.stat().st_size, str(path))
    pixels = decode_image(path.read_bytes(), str(path), real.channels)
    _check_shape(pixels.shape, real, path)
    return pixels


def _read_arrays(path: Path, load_real: Callable[[], Dataset], options: ReadOptions) -> Candidate:
    arrays = read_arrays(path, options.max_bytes)
    given = _given_labels(arrays, path, options)
    real = load_real()
    shape = (real.channels, real.height, real.width)
    batch = as_batch(pick(arrays, IMAGES, path), shape)
    images, float_range = as_pixels(batch, options.float_range)
    if float_range is None and options.float_range is not None:
        raise DataError(f"--float-range is for float images; those of '{path}' are integers.")
    size = path.stat().st_size + (options.labels.stat().st_size if options.labels else 0)
    labels, soft_labels = as_labels(given, len(images), real.num_classes)
    names = arrays.get("class_names")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        if soft_labels is None:
            labels = _renumbered(labels, tuple(names), real)
        elif tuple(names) != real.class_names:
            raise DataError(
                f"The soft labels of '{path}' are of other classes, or in another order, than "
                f"'{real.name}' has."
            )
    return Candidate(
        path.suffix.lower(),
        images.contiguous(),
        labels,
        size,
        float_range,
        soft_labels,
        _own_normalisation(arrays, real.channels),
    )


def _given_labels(arrays: Arrays, path: Path, options: ReadOptions) -> Tensor:
    """Return labels from the file of their own, if there is one, else the richest of the file."""
    if options.labels is not None:
        if not options.labels.is_file():
            raise DataError(f"There is no file '{options.labels}' to take labels from.")
        beside = read_arrays(options.labels, options.max_bytes)
        return pick(beside, (*LABELS, "images"), options.labels)
    names = ("soft_labels", *LABELS)
    if not any(name in arrays for name in names):
        raise DataError(f"'{path}' has no labels; name their file with --labels.")
    return pick(arrays, names, path)


def _own_normalisation(arrays: Arrays, channels: int) -> Normalisation | None:
    values = []
    for name in ("mean", "std"):
        found = arrays.get(name)
        if not isinstance(found, Tensor | list | tuple) or len(found) != channels:
            return None
        values.append([float(value) for value in found])
    if not min(values[1]) > 0 or not np.isfinite(values).all():
        return None
    return values[0], values[1]


def _check_shape(found: tuple[int, ...], real: Dataset, path: Path) -> None:
    expected = (real.channels, real.height, real.width)
    if found != expected:
        (c, h, w), (C, H, W) = found, expected
        raise DataError(
            f"'{path}' has images of {h}x{w}x{c}, but '{real.name}' has {H}x{W}x{C}; evaluate on "
            "the dataset that the training set was made of."
        )


def _check_count(found: int, real: Dataset) -> None:
    if found != real.num_classes:
        raise DataError(
            f"The training set has {found} classes, '{real.name}' has {real.num_classes}; evaluate "
            "on the dataset that it was made of."
        )


def _renumbered(labels: Tensor, names: tuple[str, ...], real: Dataset) -> Tensor:
    """Return labels as the dataset numbers its classes, going by their names."""
    _check_count(len(names), real)
    if names == real.class_names or _are_numbers(names):
        return labels
    strange = [name for name in names if name not in real.class_names]
    if strange:
        raise _not_a_class(strange[0], real)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"The class '{twice}' names several classes, but not in '{real.name}'; evaluate on the "
            "dataset that the training set was made of."
        )
    order = torch.tensor([real.class_names.index(name) for name in names])
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < len(names):
        raise DataError(f"Labels must lie in 0…{len(names) - 1}.")
    return order[labels]


def _not_a_class(name: str, real: Dataset) -> DataError:
    return DataError(
        f"The class '{name}' is not a class of '{real.name}'; evaluate on the dataset that the "
        "training set was made of."
    )


def _are_numbers(names: tuple[str, ...]) -> bool:
    """Tell whether names only count, which a file does that keeps none."""
    return all(name.isdecimal() and int(name) == label for label, name in enumerate(names))

"""Read what is to be judged, by what its name says it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ddcodec.datasets import Dataset
from ddcodec.datasets.in_arrays.array_files import (
    IMAGES,
    LABELS,
    SUFFIXES,
    Arrays,
    pick,
    read_arrays,
)
from ddcodec.datasets.tables.parquet import SUFFIX as PARQUET
from ddcodec.datasets.trees.archive import is_archive_name
from ddcodec.errors import DataError
from ddcodec.evaluation.candidates.arrays import as_batch, as_labels, as_pixels
from ddcodec.evaluation.candidates.candidate import Candidate, Normalisation
from ddcodec.evaluation.candidates.classes import check_shape, is_numbered, renumbered
from ddcodec.evaluation.candidates.image_folder import LIST, read_list, read_tree
from ddcodec.evaluation.students.labelled_images import Stages
from ddcodec.training_set import TrainingSet

if TYPE_CHECKING:
    from ddcodec.format.limits import DecodeLimits

MAX_BYTES = 2 << 30


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
        given = None if self.limits is None else self.limits.max_bytes
        return MAX_BYTES if given is None else given


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
        listed = (path / LIST).is_file()
        return read_list(path, load_real()) if listed else read_tree(path, load_real())
    if is_archive_name(path) or suffix == PARQUET:
        return read_tree(path, load_real())
    return _read_ddc(path, load_real, options)


def _read_ddc(path: Path, load_real: Callable[[], Dataset], options: ReadOptions) -> Candidate:
    file = TrainingSet.load(path, options.limits, renditions=options.renditions)
    real = load_real()
    check_shape(tuple(file.images.shape[1:]), real, path)
    labels = renumbered(file.labels, file.class_names, real)
    # Column by column where the classes of the dataset stand in the file.
    order = renumbered(torch.arange(real.num_classes), file.class_names, real).argsort()
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
        is_numbered=is_numbered(file.class_names, real),
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
            labels = renumbered(labels, tuple(names), real)
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

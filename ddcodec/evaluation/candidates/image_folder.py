"""Candidates that are images in a folder or archive."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.datasets import Dataset, LoadRequest, default_cache_dir
from ddcodec.datasets.files import load_files
from ddcodec.datasets.layouts.list_table import MAX_LIST_BYTES
from ddcodec.datasets.trees.archive import is_archive_name
from ddcodec.datasets.trees.image import check_file_size, decode_image
from ddcodec.errors import DataError
from ddcodec.evaluation.candidates.candidate import Candidate
from ddcodec.evaluation.candidates.classes import check_shape, not_a_class, renumbered

LIST, _COLUMNS = "labels.csv", ["filename", "label", "class"]


def read_tree(path: Path, real: Dataset) -> Candidate:
    """Read images in class folders, tables or shards; raises DataError."""
    tree = load_files(LoadRequest(path.name, path, default_cache_dir()))
    check_shape((tree.channels, tree.height, tree.width), real, path)
    labels = renumbered(torch.from_numpy(tree.train.labels), tree.class_names, real)
    images = torch.from_numpy(np.array(tree.train.images))
    if path.is_dir():
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return Candidate("folder", images, labels, size)
    kind = "archive" if is_archive_name(path) else path.suffix
    return Candidate(kind, images, labels, path.stat().st_size)


def read_list(folder: Path, real: Dataset) -> Candidate:
    """Read what `ddc decode` wrote: images by the list beside them; raises DataError."""
    try:
        if (folder / LIST).stat().st_size > MAX_LIST_BYTES:
            raise DataError(f"'{folder / LIST}' is too long a list; name fewer images in it.")
        with (folder / LIST).open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
        if header != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
            raise DataError(
                f"'{folder / LIST}' is not the list that ddc decode writes; remove it to read "
                "the class folders."
            )
        images = [_listed_image(folder, row[0], real) for row in rows]
        numbers = torch.tensor([int(row[1]) for row in rows], dtype=torch.int64)
    except OSError as error:
        raise DataError(f"Cannot read '{error.filename}': {error.strerror}.") from error
    except (csv.Error, ValueError, OverflowError) as error:
        raise DataError(
            f"'{folder / LIST}' is damaged; remove it to read the class folders."
        ) from error
    if not rows:
        raise DataError(f"'{folder / LIST}' lists no images.")
    names = [row[2] for row in rows]
    strange = [name for name in names if name not in real.class_names]
    if not strange:
        numbers = torch.tensor([real.class_names.index(name) for name in names])
    elif not all(row[2].isdecimal() and int(row[1]) == int(row[2]) for row in rows):
        raise not_a_class(strange[0], real)
    size = sum((folder / row[0]).stat().st_size for row in rows)
    return Candidate("folder", torch.from_numpy(np.stack(images)), numbers, size)


def _listed_image(folder: Path, name: str, real: Dataset) -> NDArray[np.uint8]:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"'{name}' in '{folder / LIST}' is outside the folder; remove that line.")
    if path.exists() and not path.is_file():
        raise DataError(f"'{name}' in '{folder / LIST}' is no file; remove that line.")
    check_file_size(path.stat().st_size, str(path))
    pixels = decode_image(path.read_bytes(), str(path), real.channels)
    check_shape(pixels.shape, real, path)
    return pixels

"""Classes and shapes of a candidate, by those of the dataset it is judged on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

from ddcodec.datasets import Dataset
from ddcodec.errors import DataError


def check_shape(found: tuple[int, ...], real: Dataset, path: Path) -> None:
    """Refuse images (C, H, W) of another shape than the dataset's with a DataError."""
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


def renumbered(labels: Tensor, names: tuple[str, ...], real: Dataset) -> Tensor:
    """Return labels as the dataset numbers its classes, going by their names."""
    _check_count(len(names), real)
    if names == real.class_names or is_numbered(names, real):
        return labels
    numbers = {name: number for number, name in reversed([*enumerate(real.class_names)])}
    strange = [name for name in names if name not in numbers]
    if strange:
        raise not_a_class(strange[0], real)
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise DataError(
            f"The class '{twice}' names several classes, but not in '{real.name}'; evaluate on the "
            "dataset that the training set was made of."
        )
    order = torch.tensor([numbers[name] for name in names])
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < len(names):
        raise DataError(f"Labels must lie in 0…{len(names) - 1}.")
    return order[labels]


def not_a_class(name: str, real: Dataset) -> DataError:
    """Return the error of a class that the dataset has not."""
    return DataError(
        f"The class '{name}' is not a class of '{real.name}'; evaluate on the dataset that the "
        "training set was made of."
    )


def is_numbered(names: tuple[str, ...], real: Dataset) -> bool:
    """Tell whether names only count, as in a file that keeps none, and the dataset's do not."""
    return names != real.class_names and all(
        name.isdecimal() and int(name) == label for label, name in enumerate(names)
    )

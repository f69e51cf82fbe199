"""Labels in the forms people keep them in, as numbers of classes that have images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddcodec.errors import DataError

TRAIN = "train"
MOST_CLASSES = 2**16

_WORDS = {TRAIN: "training"}


@dataclass(frozen=True)
class SettledLabels:
    """Hold the labels of all splits.

    Attributes:
        splits: int64, N, from 0 on without a gap.
        class_names: one a label.
        notes: sentences on classes that are not counted.
    """

    splits: dict[str, NDArray[np.int64]]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def settle_labels(
    splits: Mapping[str, NDArray[Any]], class_names: Sequence[str] | None = None
) -> SettledLabels:
    """Return labels as numbers of the classes that have training images.

    Args:
        splits: N or N×1 whole numbers from 0 on or texts, or N×K with a single 1 in each row; by
            the name of the split, `train` among them.
        class_names: of the numbers from 0 on; without them a class is called by its number.

    A class without training images is not counted; the names of the others stay.

    Raises:
        DataError: Labels are of no such form, or a held-out image is of a class without training
            images.
    """
    flat = {name: _flat(labels, _WORDS.get(name, name)) for name, labels in splits.items()}
    if len({labels.dtype.kind for labels in flat.values()}) > 1:
        raise DataError("some labels are texts and some are numbers; save all alike.")
    if flat[TRAIN].dtype.kind == "U":
        return settle_texts({split: labels.tolist() for split, labels in flat.items()})
    return _of_numbers(flat, class_names)


def settle_texts(splits: Mapping[str, Sequence[str]]) -> SettledLabels:
    """Return texts as numbers of the classes they name; see `settle_labels`."""
    names = sorted(set(splits[TRAIN]))
    number = {name: label for label, name in enumerate(names)}
    settled = {}
    for split, labels in splits.items():
        for name in set(labels) - number.keys():
            raise DataError(f"class '{name}' has {split} images but no training images.")
        settled[split] = np.array([number[name] for name in labels], dtype=np.int64)
    return SettledLabels(settled, tuple(names))


def flat_numbers(labels: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Return labels, N or N×1 whole numbers or N×K with one 1 a row, as int64; raises DataError."""
    flat = _flat(labels, what)
    if flat.dtype.kind == "U":
        raise DataError(f"the {what} labels are texts; expected one whole number for each image.")
    return flat.astype(np.int64, copy=False)


def _of_numbers(flat: dict[str, NDArray[Any]], class_names: Sequence[str] | None) -> SettledLabels:
    largest = max(int(labels.max()) for labels in flat.values() if len(labels))
    if class_names is None:
        names = [str(label) for label in range(largest + 1)]
    else:
        names = [str(name) for name in class_names]
        if len(names) <= largest or len(set(names)) < len(names):
            raise DataError(
                f"there are {len(set(names))} different class names but labels up to {largest}; "
                "name each class once."
            )
    counts = np.bincount(flat[TRAIN], minlength=len(names))
    held = np.flatnonzero(counts)
    number = np.full(len(names), -1, dtype=np.int64)
    number[held] = np.arange(len(held))
    settled = {}
    for split, labels in flat.items():
        settled[split] = number[labels]
        for label in np.unique(labels[settled[split] < 0]).tolist():
            raise DataError(f"class '{names[label]}' has {split} images but no training images.")
    return SettledLabels(
        settled, tuple(names[label] for label in held), _gaps(names, counts, class_names is None)
    )


def _gaps(names: list[str], counts: NDArray[np.int64], are_numbers: bool) -> tuple[str, ...]:
    empty = np.flatnonzero(counts == 0).tolist()
    if not empty:
        return ()
    shown = ", ".join(names[label] for label in empty[:5]) + (", …" if len(empty) > 5 else "")
    kept = " The others keep their numbers as names." if are_numbers else ""
    return (f"Classes without images, not counted: {shown}.{kept}",)


def _flat(labels: NDArray[Any], what: str) -> NDArray[Any]:
    """Return labels as N whole numbers or texts."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise DataError(
            f"{np.count_nonzero(~np.isfinite(labels))} {what} labels are not a number; leave those "
            "images out."
        )
    if labels.ndim == 2 and labels.dtype.kind in "iufb":
        return _of_one_hot(labels, what)
    is_whole = labels.dtype.kind in "iub" or (
        labels.dtype.kind == "f" and np.array_equal(labels, np.rint(labels))
    )
    if labels.ndim != 1 or not (is_whole or labels.dtype.kind == "U"):
        raise DataError(
            f"the {what} labels are an array of {'x'.join(map(str, labels.shape))} of type "
            f"{labels.dtype}; expected one whole number for each image."
        )
    if labels.dtype.kind == "U":
        return labels
    if len(labels) and not 0 <= labels.min() <= labels.max() < MOST_CLASSES:
        raise DataError(
            f"the {what} labels run from {labels.min()} to {labels.max()}; expected class numbers "
            "from 0 on."
        )
    return labels.astype(np.int64)


def _of_one_hot(labels: NDArray[Any], what: str) -> NDArray[np.int64]:
    ones = (labels == 1).sum(axis=1)
    if not ((labels == 0).sum(axis=1) + ones == labels.shape[1]).all() or (ones != 1).any():
        raise DataError(
            f"the {what} labels are an array of {'x'.join(map(str, labels.shape))} without a "
            "single 1 in each row: several labels an image, or soft ones; an image has one label "
            "here."
        )
    numbers: NDArray[np.int64] = labels.argmax(axis=1).astype(np.int64)
    return numbers

"""Bring what several lists say together: the images of each split and class."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ddcodec.datasets.layouts.class_folders import ImagesByClass
from ddcodec.datasets.layouts.label_list import LabelList
from ddcodec.datasets.layouts.split_names import TRAIN, split_called, split_of_file
from ddcodec.datasets.layouts.tree_paths import TreePaths
from ddcodec.datasets.wording import counted
from ddcodec.errors import DataError


@dataclass(frozen=True)
class ListedImages:
    """Hold the listed images.

    Attributes:
        splits: by split, by class; classes in their order, those without training images last.
        notes: sentences on what was left out.
    """

    splits: dict[str, ImagesByClass]
    notes: tuple[str, ...]


def listed_by_class(lists: list[LabelList], paths: TreePaths, source: str) -> ListedImages:
    """Return the images of each split and class.

    The split is what a column says, else the folder the image is in, else the name of the list;
    where nothing says it, the image is one to train on.

    Raises:
        DataError: Two lists give an image two labels, or nothing is left to train on.
    """
    labels: dict[str, str] = {}
    splits: dict[str, str] = {}
    for found in lists:
        named = split_of_file(found.path.rpartition("/")[2].rpartition(".")[0])
        # A lone list of validation images is the whole dataset.
        named = named if len(lists) > 1 else None
        for path, label in found.labels.items():
            if labels.setdefault(path, label) != label:
                raise DataError(
                    f"'{path}' in '{source}' is '{labels[path]}' in one list and '{label}' in "
                    f"'{found.path}'; name the list to go by in place of the folder."
                )
            split = found.splits.get(path) or _split_of_folder(path) or named
            splits.setdefault(path, split or TRAIN)
    names = _names(lists, set(labels.values()))
    _check_names(names.values(), source)
    by_split: dict[str, ImagesByClass] = {}
    for label in ordered_labels(names):
        for path in sorted(path for path, found in labels.items() if found == label):
            by_split.setdefault(splits[path], {}).setdefault(names[label], []).append(path)
    if TRAIN not in by_split:
        raise DataError(f"the lists in '{source}' name no training images; add some.")
    return ListedImages(by_split, tuple(_notes(lists, labels, paths)))


def _split_of_folder(path: str) -> str | None:
    found = (split_called(part) for part in path.split("/")[:-1])
    return next((split for split in found if split is not None), None)


def ordered_labels(labels: Collection[str]) -> list[str]:
    """Return labels sorted, as numbers where all are numbers."""
    if all(label.isdecimal() for label in labels):
        return sorted(labels, key=lambda label: (int(label), label))
    return sorted(labels)


def _names(lists: list[LabelList], labels: set[str]) -> dict[str, str]:
    """Return what the class of each label is called: what all lists call it, or the label."""
    named = {(label, name) for found in lists for label, name in found.names.items()}
    names = dict(named)
    unique = len(named) == len(names) == len(set(names.values()))
    return names if unique and names.keys() == labels else {label: label for label in labels}


def _check_names(names: object, source: str) -> None:
    for name in set(names):  # type: ignore[call-overload]
        if not name.isprintable():
            raise DataError(f"label {name!a} in '{source}' cannot be printed; rename the class.")


def _notes(lists: list[LabelList], labels: dict[str, str], paths: TreePaths) -> list[str]:
    used = " and ".join(f"'{found.path}'" for found in lists)
    notes = [f"Labels are those of {used}."]
    if left := len(paths.images - labels.keys()):
        notes.append(f"In no row of it and left out: {counted(left)}.")
    if missing := sum(found.missing_images for found in lists):
        notes.append(f"Without an image that is there: {counted(missing, 'row')}.")
    return notes

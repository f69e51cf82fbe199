"""What a list beside class folders says of the classes: their order and their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ddcodec.datasets.layouts.class_folders import ImagesByClass
from ddcodec.datasets.layouts.label_list import LabelList
from ddcodec.datasets.layouts.listed_images import ordered_labels


@dataclass(frozen=True)
class ListedClasses:
    """Say which class each class folder is.

    Attributes:
        names: of the classes by folder, in the order of the classes.
        note: a sentence on a list that is not used, or None.
    """

    names: dict[str, str]
    note: str | None = None


def listed_classes(lists: Iterable[LabelList], folders: ImagesByClass) -> ListedClasses:
    """Return the order and names of class folders.

    Folders are in the order of their names, and called so, except where a list has one number for
    each folder, as the `labels.csv` of a decoded set; and one name for each number.
    """
    of_folder = {path: name for name, paths in folders.items() for path in paths}
    for found in lists:
        pairs = {
            (of_folder[path], label) for path, label in found.labels.items() if path in of_folder
        }
        labels = dict(pairs)
        if not len(pairs) == len(labels) == len(set(labels.values())):
            note = (
                f"'{found.path}' lists labels and is not used, since the folders give the classes; "
                "name the list in place of the folder to go by it."
            )
            return ListedClasses({name: name for name in folders}, note)
        if labels.keys() == folders.keys() and all(label.isdecimal() for label in labels.values()):
            folder_of = {label: folder for folder, label in labels.items()}
            ordered = {folder_of[label]: label for label in ordered_labels(folder_of)}
            return ListedClasses(
                {folder: found.names.get(label, folder) for folder, label in ordered.items()}
            )
    return ListedClasses({name: name for name in folders})

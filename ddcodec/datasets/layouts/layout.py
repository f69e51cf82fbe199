"""Read classes and splits of an image tree, off its folders or off the lists beside the images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ddcodec.datasets.layouts.class_folders import (
    EXPECTED,
    ImagesByClass,
    check_outside,
    deeper_images,
    held_out_split,
    images_by_class,
    is_flat,
    split_roots,
    splits_inside_classes,
    wrapping_folder,
)
from ddcodec.datasets.layouts.image_index import ImageIndex
from ddcodec.datasets.layouts.joined_lists import join_lists
from ddcodec.datasets.layouts.label_list import Columns, LabelList, read_label_list
from ddcodec.datasets.layouts.listed_classes import listed_classes
from ddcodec.datasets.layouts.listed_images import listed_by_class
from ddcodec.datasets.layouts.split_names import HELD_OUT, TRAIN
from ddcodec.datasets.layouts.tree_paths import TreePaths, below, is_inside
from ddcodec.datasets.trees.archive import is_archive_name
from ddcodec.datasets.trees.member import Member
from ddcodec.datasets.wording import counted
from ddcodec.errors import DataError


@dataclass(frozen=True)
class LabelledPaths:
    """List the image files of one split, sorted by class and path, with their labels."""

    paths: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Say which files of a source are which images.

    Attributes:
        class_names: one a label.
        train: the images to distill.
        test: those to test on, or None.
        notes: sentences on what was left out or decided.
    """

    class_names: tuple[str, ...]
    train: LabelledPaths
    test: LabelledPaths | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListChoice:
    """Name the list that a user wants, by its path in the source, and its columns."""

    path: str
    columns: Columns


def read_layout(
    members: Iterable[Member],
    source: str,
    choice: ListChoice | None = None,
    one_class: bool = False,
) -> Layout:
    """Find the classes and splits of an image tree.

    A tree is `train/<class>/<image>` with an optional `test/`, `val/` or `dev/`, or
    `<class>/<image>` without a split, either one possibly inside wrapping folders; images in
    folders inside a class folder belong to that class. Where folders do not give classes, a list
    does: a file in which most values of a column name images and another column has labels (see
    `label_list`). Where both `test/` and `val/` have labels, `val/` is unused.

    Args:
        members: of the source.
        source: what to call it in messages.
        choice: a list to go by, whatever the folders say.
        one_class: whether a tree of a single class is meant.

    Raises:
        DataError: A tree of another shape, an empty class, a test class that is not trained on, a
            single class, or a file that is neither image nor metadata.
    """
    wanted = None if choice is None else choice.path
    paths = TreePaths.of(members, lambda path: wanted is None or path == wanted)
    if not paths.images:
        if packed := sorted(path for path in paths.others if is_archive_name(Path(path))):
            raise DataError(f"'{source}' holds archives such as '{packed[0]}'; unpack it.")
        raise DataError(f"'{source}' holds no images; {EXPECTED}.")
    reader = _LayoutReader(paths, source, one_class)
    if choice is not None:
        return reader.by_choice(choice)
    return reader.read()


class _LayoutReader:
    def __init__(self, paths: TreePaths, source: str, one_class: bool) -> None:
        self._paths, self._source, self._one_class = paths, source, one_class
        self._notes: list[str] = []
        self._known_lists: list[LabelList] | None = None

    @cached_property
    def _index(self) -> ImageIndex:
        # For lists alone: it takes several times what the paths do.
        return ImageIndex(self._paths.images)

    def by_choice(self, choice: ListChoice) -> Layout:
        """Return the layout of the list that the user names."""
        data = self._paths.lists.get(choice.path)
        if data is None:
            raise DataError(f"'{choice.path}' is no list of labels in '{self._source}'.")
        found = read_label_list(data, choice.path, self._index, choice.columns)
        if found is None:
            raise DataError(
                f"'{choice.path}' names no images of '{self._source}'; name its column of images "
                f"and that of labels: {choice.path}#IMAGE,LABEL."
            )
        if found.problem is not None:
            raise DataError(f"'{choice.path}': {found.problem}.")
        return self._of_lists([found])

    def read(self) -> Layout:
        """Return the layout of the folders, or of the lists where folders give no classes."""
        root = wrapping_folder(self._paths.images)
        if inside := splits_inside_classes(self._paths.images, root):
            return self._of_splits(inside)
        splits = split_roots(self._paths.images, root)
        train_root = splits.get(TRAIN, root)
        if not is_flat(self._paths, train_root):
            return self._of_folders(root, splits)
        lists = self._lists()
        usable = [found for found in lists if found.labels]
        if usable:
            return self._of_lists(usable)
        for found in lists:
            raise DataError(f"'{found.path}' in '{self._source}': {found.problem}.")
        return self._of_folders(root, splits)

    def _lists(self) -> list[LabelList]:
        if not self._paths.lists:
            return []
        if self._known_lists is None:
            joined = join_lists(self._paths.lists, self._index)
            self._known_lists = self._single_lists() if joined is None else [joined]
        return self._known_lists

    def _single_lists(self) -> list[LabelList]:
        found = (
            read_label_list(data, path, self._index)
            for path, data in sorted(self._paths.lists.items())
        )
        return [known for known in found if known is not None]

    def _of_folders(self, root: str, splits: dict[str, str]) -> Layout:
        if splits:
            check_outside(self._paths.images, root, self._source)
        train_root = splits.get(TRAIN, root)
        train = images_by_class(train_root, self._paths, self._source)
        self._check_number(train)
        if deeper := deeper_images(train, train_root):
            self._notes.append(
                "In deeper folders, taken for the class folders above them: "
                f"{counted(deeper, 'training image')}."
            )
        tests = self._held_out(splits, train) if splits else self._listed_splits(train)
        split = held_out_split(tests)
        test = None if split is None else tests[split]
        for name in test or ():
            if name not in train:
                raise DataError(
                    f"class '{name}' in '{self._source}' is in {split}/ but not in {TRAIN}/; both "
                    "need the same class folders."
                )
        self._note_unused(split, tests)
        listed = listed_classes(self._lists(), train)
        self._notes += [] if listed.note is None else [listed.note]
        return self._layout(train, test, listed.names)

    def _held_out(self, splits: dict[str, str], train: ImagesByClass) -> dict[str, ImagesByClass]:
        """Return the held-out splits with labels, of their folders or of a list inside."""
        found: dict[str, ImagesByClass] = {}
        for split in (split for split in HELD_OUT if split in splits):
            root = splits[split]
            inside = {path for path in self._paths.images if is_inside(path, root)}
            in_class = any(below(path, root).split("/")[0] in train for path in inside)
            if in_class or not is_flat(self._paths, root):
                found[split] = images_by_class(root, self._paths, self._source, train)
                continue
            labels = {
                path: label
                for known in self._lists()
                for path, label in known.labels.items()
                if path in inside and label in train
            }
            if labels:
                by_class: ImagesByClass = {}
                for path in sorted(labels):
                    by_class.setdefault(labels[path], []).append(path)
                found[split] = by_class
                inside -= set(labels)
            if inside:
                number = counted(len(inside))
                self._notes.append(f"Without a label and left out: {number} in {root}/.")
        return found

    def _listed_splits(self, train: ImagesByClass) -> dict[str, ImagesByClass]:
        """Take the held-out images out of `train` where a list says which these are."""
        for found in self._lists():
            tests: dict[str, ImagesByClass] = {}
            for name, paths in train.items():
                for path in paths:
                    split = found.splits.get(path, TRAIN)
                    if split != TRAIN:
                        tests.setdefault(split, {}).setdefault(name, []).append(path)
            if not tests:
                continue
            held_out = {
                path for by_class in tests.values() for ps in by_class.values() for path in ps
            }
            for name, paths in train.items():
                train[name] = [path for path in paths if path not in held_out]
                if not train[name]:
                    raise DataError(
                        f"'{found.path}' leaves class '{name}' of '{self._source}' no image to "
                        "train on; change it or remove the class."
                    )
            self._notes.append(f"Splits are those of '{found.path}'.")
            return tests
        return {}

    def _of_lists(self, lists: list[LabelList]) -> Layout:
        listed = listed_by_class(lists, self._paths, self._source)
        self._notes += listed.notes
        return self._of_splits(listed.splits)

    def _of_splits(self, splits: dict[str, ImagesByClass]) -> Layout:
        train = splits[TRAIN]
        self._check_number(train)
        split = held_out_split(splits)
        test = None if split is None else splits[split]
        for name in test or ():
            if name not in train:
                raise DataError(
                    f"class '{name}' has {split} images in '{self._source}' but no training images."
                )
        self._note_unused(split, splits)
        return self._layout(train, test, {name: name for name in train})

    def _check_number(self, train: ImagesByClass) -> None:
        if len(train) < 2 and not self._one_class:
            raise DataError(
                f"all images of '{self._source}' are of the one class '{next(iter(train))}'; sort "
                "them into a folder for each class, or put a list beside them such as labels.csv "
                "with the columns filename and label."
            )

    def _note_unused(self, split: str | None, found: Iterable[str]) -> None:
        for other in found:
            if other not in (TRAIN, split):
                self._notes.append(f"{other}/ is not used: {split}/ is what is tested on.")

    def _layout(
        self, train: ImagesByClass, test: ImagesByClass | None, names: dict[str, str]
    ) -> Layout:
        if others := sorted(self._paths.others):
            self._notes.append(
                f"Neither images nor lists and left out: {counted(len(others), 'file')}, "
                f"'{others[0]}'{' first' if len(others) > 1 else ''}."
            )
        number = {name: label for label, name in enumerate(names)}
        held_out = None if test is None else _labelled(test, number)
        return Layout(tuple(names.values()), _labelled(train, number), held_out, tuple(self._notes))


def _labelled(by_class: ImagesByClass, number: dict[str, int]) -> LabelledPaths:
    ordered = sorted(by_class.items(), key=lambda item: number[item[0]])
    pairs = [(path, number[name]) for name, paths in ordered for path in paths]
    return LabelledPaths(tuple(path for path, _ in pairs), tuple(label for _, label in pairs))

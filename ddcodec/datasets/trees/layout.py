"""Read classes and splits off the paths of an image tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ddcodec.datasets.trees.image import IMAGE_SUFFIXES
from ddcodec.datasets.trees.member import Member
from ddcodec.errors import DataError

TRAIN = "train"
# In order of preference: a tree with both `test` and `val` is tested on `test`.
HELD_OUT = ("test", "val", "valid", "validation")

_METADATA_NAMES = ("thumbs.db", "desktop.ini")
_METADATA_SUFFIXES = (".txt", ".json", ".csv")

_EXPECTED = "expected train/<class>/<image> with an optional test/ or val/, or <class>/<image>"


@dataclass(frozen=True)
class LabelledPaths:
    """List the image files of one split, sorted by class and path, with their labels."""

    paths: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Say which files of a source are which images."""

    class_names: tuple[str, ...]
    train: LabelledPaths
    test: LabelledPaths | None


def is_image_name(path: str) -> bool:
    """Tell whether the file name ends like a supported image."""
    return path.lower().endswith(IMAGE_SUFFIXES)


def read_layout(members: Iterable[Member], source: str) -> Layout:
    """Find the classes and splits of an image tree.

    A tree is `train/<class>/<image>` with an optional `test/` or `val/`, or
    `<class>/<image>` without a split, either one possibly inside one wrapping folder. Where
    there are both `test/` and `val/`, `val/` is unused. Classes are sorted by name. `source`
    names the tree in messages. Raises DataError for a tree of another shape, an empty class, a
    test class that is not trained on, or a file that is neither image nor metadata.
    """
    folders: set[str] = set()
    files: set[str] = set()
    for member in members:
        (folders if member.is_folder else files).add(member.path)
    images = {path for path in files if is_image_name(path)}
    if not images:
        raise DataError(f"'{source}' holds no images; {_EXPECTED}.")
    # Archives may leave folders out, so every file also speaks for the folder it is in.
    folders |= {path.rpartition("/")[0] for path in files if "/" in path}

    root = _wrapping_folder(images)
    splits = _split_roots(images, root)
    train_root, test_root = splits if splits else (root, None)
    if splits:
        _check_outside(images, root, source)
    others = {path for path in files - images if not _is_metadata(path)}
    train = _images_by_class(train_root, images, folders, others, source)
    class_names = tuple(train)
    if test_root is None:
        return Layout(class_names, _labelled(train, class_names), None)
    test = _images_by_class(test_root, images, folders, others, source)
    for name in test:
        if name not in train:
            raise DataError(
                f"class '{name}' in '{source}' is in {test_root.rpartition('/')[2]}/ but not in "
                f"{TRAIN}/; both need the same class folders."
            )
    return Layout(class_names, _labelled(train, class_names), _labelled(test, class_names))


def _wrapping_folder(images: set[str]) -> str:
    """Return the one folder around the whole tree, or an empty string."""
    tops = {path.split("/")[0] for path in images}
    top = min(tops)
    if len(tops) == 1 and top != TRAIN and all(path.count("/") >= 2 for path in images):
        return top
    return ""


def _split_roots(images: set[str], root: str) -> tuple[str, str | None] | None:
    """Return the training and test folders, or None for a tree without a split."""

    def holds_classes(split: str) -> bool:
        # `train/1.png` is a picture of a train; `train/cat/1.png` is a split.
        prefix = _join(root, split) + "/"
        return any(p.startswith(prefix) and "/" in p[len(prefix) :] for p in images)

    if not holds_classes(TRAIN):
        return None
    held_out = next((split for split in HELD_OUT if holds_classes(split)), None)
    return _join(root, TRAIN), None if held_out is None else _join(root, held_out)


def _check_outside(images: set[str], root: str, source: str) -> None:
    known = (TRAIN, *HELD_OUT)
    for path in sorted(images):
        if _below(path, root).split("/")[0] not in known:
            raise DataError(
                f"'{path}' in '{source}' is beside {TRAIN}/ but in none of {', '.join(known)}; "
                "move or remove it."
            )


def _images_by_class(
    root: str, images: set[str], folders: set[str], others: set[str], source: str
) -> dict[str, list[str]]:
    """Return the sorted images of every class folder right below `root`, classes sorted."""
    inside = root + "/" if root else ""
    classes = sorted(
        name
        for name in (_below(f, root) for f in folders if f.startswith(inside))
        if name and "/" not in name
    )
    _check_nested(root, folders, source)
    by_class: dict[str, list[str]] = {name: [] for name in classes}
    for path in sorted(path for path in images | others if path.startswith(inside)):
        name, _, rest = _below(path, root).partition("/")
        if not rest:
            if path in images:
                raise DataError(f"image '{path}' in '{source}' is in no class folder; {_EXPECTED}.")
            continue
        if path in others:
            raise DataError(
                f"'{path}' in '{source}' is not an image of a known kind; remove it or convert it "
                "to PNG."
            )
        by_class[name].append(path)
    _check_classes(by_class, root, source)
    return by_class


def _check_nested(root: str, folders: set[str], source: str) -> None:
    inside = root + "/" if root else ""
    for path in sorted(path for path in folders if path.startswith(inside)):
        if "/" in _below(path, root):
            name = _below(path, root).partition("/")[0]
            raise DataError(
                f"'{path}' in '{source}' is a folder inside the class folder '{name}'; {_EXPECTED}."
            )


def _check_classes(by_class: dict[str, list[str]], root: str, source: str) -> None:
    for name, paths in by_class.items():
        if not paths:
            raise DataError(
                f"class folder '{_join(root, name)}' in '{source}' holds no images; add some or "
                "remove the folder."
            )
        if not name.isprintable():
            raise DataError(
                f"class folder {name!a} in '{source}' has a name that cannot be printed; rename it."
            )


def _labelled(by_class: dict[str, list[str]], class_names: tuple[str, ...]) -> LabelledPaths:
    pairs = [(path, class_names.index(name)) for name, paths in by_class.items() for path in paths]
    return LabelledPaths(tuple(path for path, _ in pairs), tuple(label for _, label in pairs))


def _is_metadata(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name in _METADATA_NAMES or name.endswith(_METADATA_SUFFIXES)


def _join(root: str, name: str) -> str:
    return f"{root}/{name}" if root else name


def _below(path: str, root: str) -> str:
    """Return `path` relative to the folder `root` that it is in."""
    return path[len(root) + 1 :] if root else path

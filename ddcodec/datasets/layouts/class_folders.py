"""Read classes off folders: each folder right below a split is one, with all that is in it."""

from __future__ import annotations

from collections.abc import Collection, Container

from ddcodec.datasets.layouts.split_names import HELD_OUT, TRAIN, split_called
from ddcodec.datasets.layouts.tree_paths import TreePaths, below, is_inside, join
from ddcodec.errors import DataError

EXPECTED = (
    "expected train/<class>/<image> with an optional test/ or val/, <class>/<image>, or a list of "
    "labels such as labels.csv beside the images"
)

ImagesByClass = dict[str, list[str]]


def wrapping_folder(images: set[str], root: str = "", classes: Container[str] = ()) -> str:
    """Return the innermost folder that holds the whole tree, its class folders included.

    A folder called like one of `classes` is one of those.
    """
    while True:
        tops = {below(path, root).split("/")[0] for path in images}
        top = min(tops)
        wraps = len(tops) == 1 and all(below(path, root).count("/") >= 2 for path in images)
        if not wraps or split_called(top) is not None or top in classes:
            return root
        root = join(root, top)


def split_roots(images: set[str], root: str) -> dict[str, str]:
    """Return the folders of the splits by name; none where there is no training split.

    `train/1.png` beside `plane/1.png` is a picture of a train; `train/cat/1.png` is a split, and so
    is `train/1.png` where nothing but splits stands beside it.
    """
    tops = {below(path, root).split("/")[0] for path in images if "/" in below(path, root)}
    roots: dict[str, str] = {}
    for top in sorted(tops):
        split = split_called(top)
        if split is not None:
            roots.setdefault(split, join(root, top))
    if TRAIN not in roots:
        return {}
    nested = any(
        "/" in below(path, roots[TRAIN]) for path in images if is_inside(path, roots[TRAIN])
    )
    is_flat = not nested and all(split_called(top) is not None for top in tops) and len(tops) > 1
    return roots if nested or is_flat else {}


def held_out_split(found: Collection[str]) -> str | None:
    """Return the split that is tested on: the first of HELD_OUT that there is."""
    return next((split for split in HELD_OUT if split in found), None)


def splits_inside_classes(images: set[str], root: str) -> dict[str, ImagesByClass]:
    """Return the images by split and class of `<class>/train/<image>`, or none of another tree."""
    found: dict[str, ImagesByClass] = {}
    for path in sorted(images):
        name, _, rest = below(path, root).partition("/")
        split = split_called(rest.split("/")[0]) if "/" in rest else None
        if split is None:
            return {}
        found.setdefault(split, {}).setdefault(name, []).append(path)
    return found if TRAIN in found else {}


def check_outside(images: set[str], root: str, source: str) -> None:
    """Raise DataError for an image beside the splits and in none of them."""
    for path in sorted(images):
        if split_called(below(path, root).split("/")[0]) is None:
            known = ", ".join((TRAIN, *HELD_OUT))
            raise DataError(
                f"'{path}' in '{source}' is beside {TRAIN}/ but in none of {known}; move or remove "
                "it."
            )


def is_flat(paths: TreePaths, root: str) -> bool:
    """Tell whether a split has images but no class folders."""
    inside = [path for path in paths.images if is_inside(path, root)]
    classes = {below(path, root).split("/")[0] for path in inside if "/" in below(path, root)}
    return len(classes) <= 1 and not any(below(p, root).count("/") > 1 for p in inside)


def images_by_class(
    root: str, paths: TreePaths, source: str, known: Container[str] = ()
) -> ImagesByClass:
    """Return the sorted images of every class folder right below `root`, classes sorted.

    Images in folders inside a class folder are of that class, too. Classes that are `known` are
    not taken for folders around all classes.

    Raises:
        DataError: An image in no class folder, a class folder without images or with a name that
            cannot be printed, a file that is neither image nor metadata.
    """
    inside = {path for path in paths.images if is_inside(path, root)}
    # `train/images/cat/1.png` has one more folder around them.
    root = wrapping_folder(inside, root, known) if inside else root
    folders = (below(f, root) for f in paths.folders if is_inside(f, root) and f != root)
    classes = sorted({name.split("/")[0] for name in folders if name})
    by_class: ImagesByClass = {name: [] for name in classes}
    for path in sorted(path for path in paths.images | paths.others if is_inside(path, root)):
        name, _, rest = below(path, root).partition("/")
        if not rest:
            if path in paths.images:
                raise DataError(f"image '{path}' in '{source}' is in no class folder; {EXPECTED}.")
            continue
        if path in paths.others:
            raise DataError(
                f"'{path}' in '{source}' is not an image of a known kind; remove it or convert it "
                "to PNG."
            )
        by_class[name].append(path)
    _check_classes(by_class, root, source)
    return by_class


def deeper_images(by_class: ImagesByClass, root: str) -> int:
    """Count the images that are not right inside a folder of `root`."""
    return sum(below(path, root).count("/") > 1 for paths in by_class.values() for path in paths)


def _check_classes(by_class: ImagesByClass, root: str, source: str) -> None:
    for name, paths in by_class.items():
        if not paths:
            raise DataError(
                f"class folder '{join(root, name)}' in '{source}' holds no images; add some or "
                "remove the folder."
            )
        if not name.isprintable():
            raise DataError(
                f"class folder {name!a} in '{source}' has a name that cannot be printed; rename it."
            )

"""Labels in several lists that share the numbers of images, as CUB-200 and its kin come.

One list gives images their numbers (`images.txt`), another numbers their classes
(`image_class_labels.txt`), others, if there are any, say which are to train on
(`train_test_split.txt`) and what classes are called (`classes.txt`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ddcodec.datasets.layouts.image_index import ImageIndex
from ddcodec.datasets.layouts.label_list import LabelList
from ddcodec.datasets.layouts.list_table import read_list_table
from ddcodec.datasets.layouts.split_names import TRAIN

_Pairs = dict[str, str]


def join_lists(lists: Mapping[str, bytes], images: ImageIndex) -> LabelList | None:
    """Return what lists of pairs say together, or None where they are not of this kind.

    Args:
        lists: bytes by path.
        images: that there are.
    """
    pairs = {path: found for path, data in lists.items() if (found := _pairs(data, path))}
    for path, numbered in sorted(pairs.items()):
        folder = path.rpartition("/")[0]
        named = {number: images.find(value, folder, None) for number, value in numbered.items()}
        paths = {number: found for number, found in named.items() if found is not None}
        if len(paths) < 2 or len(paths) < len(numbered) / 2:
            continue
        beside = {other: found for other, found in pairs.items() if other != path}
        about = {o: found for o, found in beside.items() if found.keys() >= paths.keys()}
        labels = next(
            (f for o, f in sorted(about.items()) if _is_called(o, "label", "class")), None
        )
        if labels is None:
            continue
        splits = next((f for o, f in sorted(about.items()) if _is_called(o, "split")), None)
        return LabelList(
            path,
            {found: labels[number] for number, found in paths.items()},
            {} if splits is None else _splits(paths, splits),
            _names(beside, set(labels.values())),
            len(numbered) - len(paths),
        )
    return None


def _pairs(data: bytes, path: str) -> _Pairs:
    """Return values by number where a list has two columns and the first numbers the rows."""
    table = read_list_table(data, path)
    if table is None or table.columns is not None or not table.rows or len(table.rows[0]) != 2:
        return {}
    pairs = {number: value for number, value in table.rows if number.isdecimal()}
    return pairs if len(pairs) == len(table.rows) else {}


def _is_called(path: str, *words: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return any(word in name for word in words)


def _splits(paths: _Pairs, is_training: _Pairs) -> _Pairs:
    """Return the split of every image, of which 1 says that it is to train on."""
    if set(is_training.values()) != {"0", "1"}:
        return {}
    return {path: TRAIN if is_training[number] == "1" else "test" for number, path in paths.items()}


def _names(lists: Mapping[str, _Pairs], labels: set[str]) -> _Pairs:
    """Return the names of the labels: of a list that has one for each, no two alike."""
    for _, found in sorted(lists.items()):
        names = {label: found[label] for label in labels if label in found}
        unique = len(set(names.values())) == len(names) == len(labels)
        if unique and not any(name.isdecimal() for name in names.values()):
            return names
    return {}

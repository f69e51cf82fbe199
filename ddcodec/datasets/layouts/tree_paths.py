"""The files of a tree by kind, and the arithmetic of their paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ddcodec.datasets.layouts.list_table import MAX_LIST_BYTES, is_list_name
from ddcodec.datasets.trees.image import is_image_name
from ddcodec.datasets.trees.member import Member

MAX_LISTS = 64

_METADATA_NAMES = ("thumbs.db", "desktop.ini")
_METADATA_SUFFIXES = (
    ".txt", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".md", ".rst", ".yaml", ".yml", ".xml",
    ".html", ".pdf", ".toml", ".py", ".mat",
)  # fmt: skip


@dataclass
class TreePaths:
    """Hold the paths of a tree.

    Attributes:
        images: files that end like images.
        folders: all there are, also those that only files speak of.
        others: files that are neither images nor about them.
        lists: the bytes of files that may list labels, by path.
    """

    images: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    lists: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, members: Iterable[Member], wants: Callable[[str], bool]) -> TreePaths:
        """Sort the members of a source; the bytes of those lists are read that are wanted."""
        found = cls()
        list_bytes = 0
        for member in members:
            path = member.path
            if member.is_folder:
                found.folders.add(path)
                continue
            # Archives may leave folders out, so every file also speaks for the folder it is in.
            if "/" in path:
                found.folders.add(path.rpartition("/")[0])
            if is_image_name(path):
                found.images.add(path)
            elif not _is_metadata(path):
                found.others.add(path)
            elif (
                is_list_name(path)
                and list_bytes + member.size <= MAX_LIST_BYTES
                and wants(path)
                # Where every image has a file of its own, these are no lists of images.
                and (len(found.lists) < MAX_LISTS or "/" not in path)
            ):
                found.lists[path] = member.read()
                list_bytes += member.size
        return found


def join(root: str, name: str) -> str:
    """Return the path of `name` in the folder `root`, which may be empty."""
    return f"{root}/{name}" if root else name


def below(path: str, root: str) -> str:
    """Return `path` relative to the folder `root` that it is in."""
    return path[len(root) + 1 :] if root else path


def is_inside(path: str, root: str) -> bool:
    """Tell whether a path is in a folder, at any depth."""
    return not root or path.startswith(f"{root}/")


def _is_metadata(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name in _METADATA_NAMES or name.endswith(_METADATA_SUFFIXES)

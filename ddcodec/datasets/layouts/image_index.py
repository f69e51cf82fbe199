"""Find images by what lists call them: paths, ends of paths, names, with suffix or without."""

from __future__ import annotations

from collections.abc import Iterable

from ddcodec.datasets.layouts.split_names import split_called

_MANY = 64
"""Images of one name, of which no list means one by this name alone."""

_FEW = 8
"""Images of one name that are gone through each time, of which no index is kept."""

_MOST_PARTS = 64


class ImageIndex:
    """Find images by what lists call them."""

    def __init__(self, images: Iterable[str]) -> None:
        self._paths = set(images)
        self._by_name: dict[str, list[str]] = {}
        self._without_suffix: dict[str, list[str]] = {}
        for path in sorted(self._paths):
            stem = path.rpartition(".")[0]
            self._without_suffix.setdefault(stem, []).append(path)
            for name in (path.rpartition("/")[2], stem.rpartition("/")[2]):
                self._by_name.setdefault(name, []).append(path)
        self._by_end: dict[str, dict[str, list[str]]] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def find(self, value: str, folder: str, split: str | None) -> str | None:
        """Return the one image that a list in `folder` calls `value`, or None.

        It may be a path from there or from any folder above, with or without its suffix, or a name
        that only one image has: of all, of those below `folder`, or of those of the list's split.
        """
        name = value.replace("\\", "/").strip().removeprefix("./").lstrip("/")
        if not name:
            return None
        base: str | None = folder
        while base is not None:
            path = f"{base}/{name}" if base else name
            if path in self._paths:
                return path
            found = self._without_suffix.get(path, [])
            if len(found) == 1:
                return found[0]
            base = base.rpartition("/")[0] if base else None
        near = self._nearest(name)
        if len(near) > _MANY:
            return None
        inside = [path for path in near if path.startswith(f"{folder}/")] if folder else near
        for candidates in (near, inside, [p for p in near if split and _is_of(p, split)]):
            if len(candidates) == 1:
                return candidates[0]
        return None

    def _nearest(self, name: str) -> list[str]:
        """Return the paths that end as `name` does, for as many folders as possible.

        Lists have paths of the machine they were made on.
        """
        parts = name.split("/")[-_MOST_PARTS:]
        last = parts[-1]
        if last not in self._by_name:
            return []
        by_end = self._by_end.get(last)
        if by_end is None:
            by_end = _by_end(self._by_name[last])
            if len(self._by_name[last]) > _FEW:
                self._by_end[last] = by_end
        for start in range(len(parts)):
            found = by_end.get("/".join(parts[start:]))
            if found:
                return found
        return []


def _by_end(paths: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        for end in _ends(path):
            found.setdefault(end, []).append(path)
    return found


def _ends(path: str) -> list[str]:
    """Return `a/b/1.png`, `b/1.png` and `1.png` of the first, and the same without suffix."""
    stem = path.rpartition(".")[0]
    parts, of_stem = path.split("/"), stem.split("/")
    both = (parts, of_stem) if stem and len(parts) == len(of_stem) else (parts,)
    return ["/".join(some[start:]) for some in both for start in range(len(some))]


def _is_of(path: str, split: str) -> bool:
    return any(split_called(part) == split for part in path.split("/")[:-1])

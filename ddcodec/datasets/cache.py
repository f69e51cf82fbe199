"""Keep decoded arrays on disk, memory-mapped, so that a dataset is decoded once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from ddcodec.budget import parse_bytes
from ddcodec.datasets.base import Dataset, ImageSplit, content_fingerprint
from ddcodec.datasets.cached_arrays import check_limit, images_file, labels_file, writing
from ddcodec.datasets.streamed.entry import DESCRIPTION_FILE, bounded, is_streamed, load_streamed
from ddcodec.errors import BudgetError, DataError
from ddcodec.kept.lock import is_abandoned
from ddcodec.kept.notices import notify
from ddcodec.kept.seal import sealed_json, unsealed_json
from ddcodec.kept.writing import claimed_folder, write_through, write_tree_through

# Raise it whenever the same source would be decoded to other arrays, or stored otherwise.
CACHE_VERSION = 1

NOTES_FILE = "notes.json"
_BUILDING, _DAMAGED = ".building-", ".damaged-"

Build = Callable[[Path], tuple[str, ...]]
"""Writes the splits into an empty folder, with `allocate_split` or `write_streamed`; returns the
class names."""


def default_cache_limit() -> int | None:
    """Return the bytes that `$DDC_CACHE_LIMIT` says, such as 2G, or None for no limit.

    Raises DataError for what is no size.
    """
    text = os.environ.get("DDC_CACHE_LIMIT")
    return parse_cache_limit(text, "DDC_CACHE_LIMIT") if text else None


def parse_cache_limit(text: str, what: str) -> int:
    """Read a size such as 500M or 2G; raises DataError naming `what` for anything else."""
    try:
        return int(parse_bytes(text))
    except BudgetError as error:
        raise DataError(f"{what} is '{text}'; write a size such as 500M or 2G.") from error


def cached_bytes(cache_dir: Path) -> dict[str, int]:
    """Return the bytes of decoded arrays by the name of their dataset, as file names spell it.

    Raises DataError where the cache cannot be read.
    """
    sizes: dict[str, int] = {}
    try:
        for folder in sorted((cache_dir / "datasets").glob("*-" + 24 * "[0-9a-f]")):
            num_bytes = sum(path.stat().st_size for path in folder.iterdir())
            name = folder.name[:-25]
            sizes[name] = sizes.get(name, 0) + num_bytes
    except OSError as error:
        raise DataError(
            f"cannot read the cache in '{cache_dir}' ({error.strerror}); check its mode."
        ) from error
    return sizes


def cached_dataset(
    name: str, key: str, cache_dir: Path, build: Build, limit_bytes: int | None = None
) -> Dataset:
    """Load the dataset stored under `key`, building it first where there is none.

    `key` is a hex digest of everything the arrays depend on. All pixels and labels are compared
    with the fingerprint, and a damaged entry is built again, with a `KeptWarning`.
    Two processes may build the same entry: both finish, and one of the two is kept. With a limit
    `build` may write what is decoded when needed, which is an entry of its own; of an entry that is
    there and larger, images are read when needed. Raises DataError where the cache cannot be
    written, and whatever `build` raises.
    """
    folder = cache_dir / "datasets" / _entry_name(name, key)
    limited = cache_dir / "datasets" / _entry_name(name, f"{key} limit {limit_bytes}")
    if (dataset := _known(folder, name)) is not None:
        return bounded(dataset, limit_bytes)
    if limit_bytes is not None and (dataset := _known(limited, name)) is not None:
        return dataset
    _remove_abandoned(folder.parent)
    with _temporary_folder(folder.parent, cache_dir) as temporary:
        class_names = build(temporary)
        with writing(cache_dir):
            if is_streamed(temporary):
                folder = limited
            else:
                check_limit(temporary, limit_bytes)
                _describe(temporary, class_names)
            write_tree_through(temporary)
            _publish(temporary, folder)
    if (dataset := _load(folder, name)) is None:
        raise DataError(f"the cache entry '{folder}' cannot be read back; delete it and try again.")
    return dataset


def _known(folder: Path, name: str) -> Dataset | None:
    """Return a stored entry; one that is damaged is said to be."""
    if (dataset := _load(folder, name)) is not None:
        return dataset
    if folder.exists():
        # Unless another process has put it there in between.
        if (dataset := _load(folder, name)) is not None:
            return dataset
        notify(f"The cache entry '{folder}' is damaged; the dataset is decoded again.")
    return None


def keep_notes(folder: Path, notes: Iterable[str]) -> None:
    """Keep sentences on how a dataset was read; a builder's, for `Dataset.notes`."""
    (folder / NOTES_FILE).write_bytes(sealed_json({"notes": list(notes)}))


def _entry_name(name: str, key: str) -> str:
    readable = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:40]
    versioned = hashlib.sha256(f"{CACHE_VERSION} {key}".encode()).hexdigest()
    return f"{readable}-{versioned[:24]}"


def _load(folder: Path, name: str) -> Dataset | None:
    """Map a stored entry, or return None where it is missing or damaged."""
    try:
        if is_streamed(folder):
            return load_streamed(folder, name, _load_notes(folder))
        description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        class_names = tuple(str(name) for name in description["class_names"])
        train = _load_split(folder, "train", len(class_names))
        test = _load_split(folder, "test", len(class_names)) if description["has_test"] else None
        if test is not None and test.images.shape[1:] != train.images.shape[1:]:
            return None
        fingerprint = content_fingerprint(class_names, _splits(train, test))
        if fingerprint != description["fingerprint"]:
            return None
        return Dataset(name, class_names, train, test, fingerprint, _load_notes(folder))
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _splits(train: ImageSplit, test: ImageSplit | None) -> dict[str, ImageSplit]:
    return {"train": train} if test is None else {"train": train, "test": test}


def _load_notes(folder: Path) -> tuple[str, ...]:
    try:
        data = (folder / NOTES_FILE).read_bytes()
    except FileNotFoundError:
        return ()
    # Earlier releases kept a plain list.
    notes = json.loads(data)
    return tuple(map(str, notes if isinstance(notes, list) else unsealed_json(data)["notes"]))


def _load_split(folder: Path, split: str, num_classes: int) -> ImageSplit:
    """Map one split; raises ValueError where the arrays do not fit together."""
    images = np.load(images_file(folder, split), mmap_mode="r", allow_pickle=False)
    labels = np.load(labels_file(folder, split), allow_pickle=False)
    fits = images.dtype == np.uint8 and images.ndim == 4 and labels.dtype == np.int64
    if not fits or labels.shape != images.shape[:1] or not len(labels):
        raise ValueError("arrays of the wrong shape")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError("labels out of range")
    return ImageSplit(images, labels)


def _describe(folder: Path, class_names: tuple[str, ...]) -> None:
    """Write down what the arrays in `folder` are, with the fingerprint of their content."""
    splits = {
        split: ImageSplit(
            np.load(images_file(folder, split), mmap_mode="r"),
            np.load(labels_file(folder, split)),
        )
        for split in ("train", "test")
        if images_file(folder, split).exists()
    }
    description = {
        "class_names": class_names,
        "has_test": "test" in splits,
        "fingerprint": content_fingerprint(class_names, splits),
    }
    text = json.dumps(description, indent=1)
    (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")


def _publish(temporary: Path, folder: Path) -> None:
    """Move a finished entry into place; whoever comes second gives way."""
    for is_last in (False, False, True):
        try:
            temporary.rename(folder)
            write_through(folder.parent)
            return
        except OSError:
            if _load(folder, "") is not None:
                return
            if is_last:
                raise
        # What is in the way is damaged. A rename takes it away whole, and where another
        # process was quicker there is nothing left to take away.
        removed = Path(tempfile.mkdtemp(prefix=_DAMAGED, dir=folder.parent))
        with contextlib.suppress(OSError):
            folder.rename(removed / folder.name)
        shutil.rmtree(removed, ignore_errors=True)


@contextlib.contextmanager
def _temporary_folder(parent: Path, cache_dir: Path) -> Iterator[Path]:
    with writing(cache_dir):
        parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=parent))
    try:
        with claimed_folder(temporary):
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed processes left half built."""
    for beginning in (_BUILDING, _DAMAGED):
        for left in parent.glob(f"{beginning}*"):
            if is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)

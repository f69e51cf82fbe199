"""Tiny-ImageNet: the official zip with its validation annotations, or a download."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.layouts.layout import LabelledPaths, Layout
from ddcodec.datasets.named import NamedDataset
from ddcodec.datasets.request import LoadRequest, OnProgress
from ddcodec.datasets.sources.download import OfficialFile
from ddcodec.datasets.sources.official import OfficialFormat, load_official
from ddcodec.datasets.trees.member import Member
from ddcodec.datasets.trees.source import source_members
from ddcodec.datasets.trees.tree import TreeReader
from ddcodec.errors import DataError

# The MD5 that public loaders check (90528d7c…8d21d0de) is of the same file.
FILE = OfficialFile(
    "tiny-imagenet-200.zip",
    "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
    248_100_043,
)

SHAPE = (3, 64, 64)
MAX_TEXT_BYTES = 2**23
"""Thrice the longest of the official texts."""

_TRAIN = re.compile(r"(?:.*/)?train/(n\d{8})/images/[^/]+\.jpe?g", re.IGNORECASE)
_VAL = re.compile(r"(?:.*/)?val/images/([^/]+\.jpe?g)", re.IGNORECASE)
_ANNOTATIONS = re.compile(r"(?:.*/)?val/val_annotations\.txt")
_WORDS = re.compile(r"(?:[^/]*/)?words\.txt")
_OFFICIAL = re.compile(
    r"(?:.*/)?((train/n\d{8}|val|test)/images/[^/]+|val_annotations\.txt|wnids\.txt)"
)


@dataclass
class _Contents:
    """What was met in the source: image paths by WordNet id, validation images, two texts."""

    train: dict[str, list[str]] = field(default_factory=dict)
    val: dict[str, str] = field(default_factory=dict)
    annotations: str | None = None
    words: str | None = None

    def noting(self, members: Iterator[Member]) -> Iterator[Member]:
        """Note what there is and yield the images that are used."""
        for member in members:
            if member.is_folder:
                continue
            if found := _TRAIN.fullmatch(member.path):
                self.train.setdefault(found[1], []).append(member.path)
                yield member
            elif found := _VAL.fullmatch(member.path):
                self.val[found[1]] = member.path
                yield member
            elif _ANNOTATIONS.fullmatch(member.path):
                self.annotations = _text(member)
            elif _WORDS.fullmatch(member.path):
                self.words = _text(member)


def _text(member: Member) -> str:
    if member.size > MAX_TEXT_BYTES:
        raise DataError(f"'{member.path}' is far too long for a text; download {FILE.url} again.")
    return member.read().decode("utf-8", errors="replace")


def _decode(source: Path, folder: Path, on_progress: OnProgress) -> tuple[str, ...]:
    """Decode the training images, and the validation images as test images."""
    contents = _Contents()
    reader = TreeReader(source, None, on_progress)
    for _ in reader.noting(contents.noting(source_members(source))):
        pass
    return reader.decode(_layout(contents, source), source_members(source), folder)


def _layout(contents: _Contents, source: Path) -> Layout:
    if not contents.train or not contents.val:
        missing = "val/images" if contents.train else "train/nXXXXXXXX/images"
        raise DataError(f"'{source}' lacks the images of {missing}; download {FILE.url} again.")
    ids = sorted(contents.train)
    train = [
        (path, label)
        for label, wordnet_id in enumerate(ids)
        for path in sorted(contents.train[wordnet_id])
    ]
    labels = _val_labels(contents.annotations, ids, source)
    test = []
    for name, path in sorted(contents.val.items()):
        if name not in labels:
            raise DataError(
                f"'{path}' is not in val_annotations.txt of '{source}'; download {FILE.url} again."
            )
        test.append((path, labels[name]))
    test.sort(key=lambda pair: pair[1])
    return Layout(_class_names(ids, contents.words), _listed(train), _listed(test))


def _val_labels(annotations: str | None, ids: list[str], source: Path) -> dict[str, int]:
    """Read the label of each validation image: lines of name, WordNet id and a box, by tabs."""
    if annotations is None:
        raise DataError(f"'{source}' lacks val/val_annotations.txt; download {FILE.url} again.")
    labels = {}
    numbers = {wordnet_id: label for label, wordnet_id in enumerate(ids)}
    for number, line in enumerate(annotations.splitlines(), start=1):
        name, _, rest = line.partition("\t")
        label = numbers.get(rest.partition("\t")[0])
        if label is None:
            raise DataError(
                f"line {number} of val_annotations.txt in '{source}' names none of the classes in "
                f"train/; download {FILE.url} again."
            )
        labels[name] = label
    return labels


def _class_names(ids: list[str], words: str | None) -> tuple[str, ...]:
    """Return the first word for each id of words.txt, or the ids if that lacks some or repeats."""
    names = dict(line.partition("\t")[::2] for line in (words or "").splitlines())
    first = [names.get(wordnet_id, "").partition(",")[0].strip() for wordnet_id in ids]
    is_usable = all(name.isprintable() and name for name in first) and len(set(first)) == len(ids)
    return tuple(first if is_usable else ids)


def _listed(pairs: list[tuple[str, int]]) -> LabelledPaths:
    return LabelledPaths(tuple(path for path, _ in pairs), tuple(label for _, label in pairs))


FORMAT = OfficialFormat(
    "tiny-imagenet", (FILE,), lambda path: _OFFICIAL.fullmatch(path) is not None, _decode
)


def load_tiny_imagenet(request: LoadRequest) -> Dataset:
    """Load Tiny-ImageNet, RGB, 64×64; its labelled validation images are the test images."""
    return load_official(request, FORMAT)


TINY_IMAGENET = NamedDataset(
    load_tiny_imagenet, 200, SHAPE, 100_000, 10_000, "http://cs231n.stanford.edu/", (FILE,)
)

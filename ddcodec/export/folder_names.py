"""Names of classes as folders of every file system and tables of other programs take them."""

from __future__ import annotations

import unicodedata

LABELS_FILE = "labels.csv"

_FORBIDDEN = frozenset('/\\:*?"<>|')
_RESERVED = {"con", "prn", "aux", "nul", LABELS_FILE} | {
    f"{device}{digit}" for device in ("com", "lpt") for digit in range(10)
}
_LONGEST_FOLDER_BYTES = 100


def class_folders(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a safe and unique folder name for every class, sorted as the classes are.

    Names that every file system takes are kept. Where one is not like that, two differ only in
    case or Unicode form, or they do not sort in the order of the classes, as programs that read
    class folders number them, every folder gets the number of its class in front.
    """
    if list(class_names) == sorted(class_names):
        return unique_names(class_names)
    if class_names == tuple(str(label) for label in range(len(class_names))):
        return tuple(_numbers(class_names))
    return _numbered(class_names)


def unique_names(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names if all are plain and unique, else each with its class's number in front."""
    keys = {unicodedata.normalize("NFC", name).casefold() for name in class_names}
    if len(keys) == len(class_names) and all(map(_is_safe, class_names)):
        return class_names
    return _numbered(class_names)


def _numbered(class_names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"{number}-{_cleaned(name)}".rstrip("-. ")
        for number, name in zip(_numbers(class_names), class_names, strict=True)
    )


def _numbers(class_names: tuple[str, ...]) -> list[str]:
    digits = len(str(len(class_names) - 1))
    return [f"{label:0{digits}}" for label in range(len(class_names))]


def _is_safe(name: str) -> bool:
    return (
        name != ""
        and name.isprintable()
        and not _FORBIDDEN & set(name)
        and name[0] not in ".-~ "
        and name[-1] not in ". "
        and name.partition(".")[0].casefold() not in _RESERVED
        and name.casefold() not in _RESERVED
        and len(name.encode()) <= _LONGEST_FOLDER_BYTES
    )


def _cleaned(name: str) -> str:
    kept = "".join("_" if char in _FORBIDDEN or not char.isprintable() else char for char in name)
    return kept.encode()[:_LONGEST_FOLDER_BYTES].decode(errors="ignore").strip(". ")

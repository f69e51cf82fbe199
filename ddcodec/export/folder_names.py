"""Names of classes as folders of every file system take them."""

from __future__ import annotations

import unicodedata

LABELS_FILE = "labels.csv"

_FORBIDDEN = frozenset('/\\:*?"<>|')
_RESERVED = {"con", "prn", "aux", "nul", LABELS_FILE} | {
    f"{device}{digit}" for device in ("com", "lpt") for digit in range(10)
}
_LONGEST_FOLDER_BYTES = 100


def class_folders(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a safe and unique folder name for every class.

    Names that every file system takes are kept. Where one is not like that, or two differ only in
    case or Unicode form, every folder gets the number of its class in front.
    """
    keys = {unicodedata.normalize("NFC", name).casefold() for name in class_names}
    if len(keys) == len(class_names) and all(_is_safe(name) for name in class_names):
        return class_names
    digits = len(str(len(class_names) - 1))
    return tuple(
        f"{label:0{digits}}-{_cleaned(name)}".rstrip("-. ")
        for label, name in enumerate(class_names)
    )


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

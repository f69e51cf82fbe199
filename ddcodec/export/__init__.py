"""A decoded training set in the formats that other programs read.

To add a format, name its `Exporter` in `EXPORTERS` and in the list of
`ddcodec/cli/looking/decode.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path

from ddcodec.errors import OutputError
from ddcodec.export.base import Exporter
from ddcodec.export.contact_sheet import draw_contact_sheet, write_contact_sheet
from ddcodec.export.folder_names import class_folders
from ddcodec.export.hugging_face import HuggingFaceFolder
from ddcodec.export.npz import NpzFile
from ddcodec.export.output import check_output, check_parent, exists, writing
from ddcodec.export.parquet import ParquetFile
from ddcodec.export.png import PngFolder
from ddcodec.export.pt import PtFile
from ddcodec.export.selection import parse_images, select_images
from ddcodec.export.source import ExportSource
from ddcodec.export.webdataset import WebDatasetShards
from ddcodec.kept.writing import atomic_file, atomic_folder, check_name

EXPORTERS: Mapping[str, Exporter] = {
    "png": PngFolder(),
    "npz": NpzFile(),
    "pt": PtFile(),
    "webdataset": WebDatasetShards(),
    "parquet": ParquetFile(),
    "hf": HuggingFaceFolder(),
}
"""Formats by the names that `--format` takes."""


def check_export(path: Path, kind: str, force: bool) -> None:
    """Check that an export can be written, before the work starts.

    Raises:
        OutputError: if something is there that may not be replaced, or the folder around it
            cannot be written.
    """
    if EXPORTERS[kind].suffix:
        check_output(path, force)
        return
    with writing(path):
        check_parent(path)
        check_name(path)
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return
        if not force:
            raise exists(path)
        if not path.is_dir():
            raise OutputError(f"'{path}' is a file, not a folder; name another with -o.")
        if not _is_export(path):
            raise OutputError(
                f"'{path}' holds files that were not written by ddc decode; name another folder."
            )


def write_export(source: ExportSource, path: Path, kind: str, force: bool = False) -> None:
    """Write selected images in the format `kind`, completely or not at all.

    Raises:
        OutputError: if something is in the way or cannot be written, or a library is missing.
        FormatError: if the file turns out to be damaged.
    """
    exporter = EXPORTERS[kind]
    check_export(path, kind, force)
    replaced = atomic_file if exporter.suffix else atomic_folder
    with writing(path), replaced(path) as partial:
        exporter.write(source, partial)


def _is_export(folder: Path) -> bool:
    """Tell whether a folder holds nothing but what an export in some format wrote."""
    return any(
        _holds_only(folder, exporter.written_files(folder)) for exporter in EXPORTERS.values()
    )


def _holds_only(folder: Path, known: Set[str]) -> bool:
    return bool(known) and all(
        path.relative_to(folder).as_posix() in known or (path.is_dir() and not path.is_symlink())
        for path in folder.rglob("*")
    )


__all__ = [
    "EXPORTERS",
    "ExportSource",
    "Exporter",
    "check_export",
    "check_output",
    "class_folders",
    "draw_contact_sheet",
    "parse_images",
    "select_images",
    "write_contact_sheet",
    "write_export",
]

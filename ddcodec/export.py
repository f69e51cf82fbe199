"""Results on disk: written completely or not at all, and nothing of the user's lost.

A training set leaves as a folder of PNG files, as `.npz`, as `.pt` or as a contact sheet.
"""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.decode import DecodedFile
from ddcodec.codec.encode import write_atomically
from ddcodec.console import printable
from ddcodec.errors import OutputError, RecipeError

if TYPE_CHECKING:
    from PIL.Image import Image

LABELS_FILE = "labels.csv"
_LABELS_HEADER = ("filename", "label", "class")

_FORBIDDEN = frozenset('/\\:*?"<>|')
_RESERVED = {"con", "prn", "aux", "nul", LABELS_FILE} | {
    f"{device}{digit}" for device in ("com", "lpt") for digit in range(10)
}
_LONGEST_FOLDER_BYTES = 100

MARGIN = 2
"""Pixels between the pictures of a contact sheet."""

LARGEST_SHEET_PIXELS = 1 << 27
_FONT_SIZE = 14
_LONGEST_LABEL = 24


def check_output(path: Path, force: bool) -> None:
    """Check that a file can be written, before the work starts.

    Raises:
        OutputError: if it exists and may not be replaced, or its folder cannot be written.
    """
    try:
        _check_parent(path)
        if path.is_dir():
            raise OutputError(f"'{path}' is a folder; name a file with -o.")
        if path.exists() and not force:
            raise OutputError(f"'{path}' exists; replace it with --force or name another with -o.")
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def check_output_folder(path: Path, force: bool) -> None:
    """Check that a folder can be made, before the work starts.

    Raises:
        OutputError: if something is there that may not be replaced, or the folder around it
            cannot be written.
    """
    try:
        _check_parent(path)
        if not path.exists() or _is_empty_folder(path):
            return
        if not force:
            raise OutputError(f"'{path}' exists; replace it with --force or name another with -o.")
        if not path.is_dir():
            raise OutputError(f"'{path}' is a file, not a folder; name another with -o.")
        if not _is_export(path):
            raise OutputError(
                f"'{path}' holds files that were not written by ddc decode; name another folder."
            )
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def write_png(decoded: DecodedFile, path: Path, force: bool = False) -> None:
    """Write a folder of PNG files, one folder per class, and `labels.csv`.

    Raises:
        OutputError: if the folder cannot be written.
    """
    check_output_folder(path, force)
    target = path.resolve()
    try:
        with _temporary_folder(target) as partial:
            _write_images(decoded, partial / "new")
            if target.exists():
                target.rename(partial / "old")
            (partial / "new").rename(target)
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_npz(decoded: DecodedFile, path: Path, force: bool = False) -> None:
    """Write `images`, `labels`, `class_names`, `mean` and `std` for numpy.

    Raises:
        OutputError: if the file cannot be written.
    """
    check_output(path, force)
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        images=decoded.images,
        labels=decoded.labels,
        class_names=np.array(decoded.class_names, dtype=np.str_),
        mean=np.array(decoded.header.mean) / 256,
        std=np.array(decoded.header.std) / 256,
    )
    write_atomically(stream.getvalue(), path)


def write_pt(decoded: DecodedFile, path: Path, force: bool = False) -> None:
    """Write the same as `write_npz` for `torch.load`, also with `weights_only`.

    Raises:
        OutputError: if the file cannot be written.
    """
    import torch

    check_output(path, force)
    stream = io.BytesIO()
    contents = {
        "images": torch.from_numpy(np.ascontiguousarray(decoded.images)),
        "labels": torch.from_numpy(decoded.labels),
        "class_names": list(decoded.class_names),
        "mean": [value / 256 for value in decoded.header.mean],
        "std": [value / 256 for value in decoded.header.std],
    }
    torch.save(contents, stream)
    write_atomically(stream.getvalue(), path)


def write_contact_sheet(
    decoded: DecodedFile, path: Path, per_class: int = 10, scale: int = 2, force: bool = False
) -> tuple[int, int]:
    """Write a PNG with one labelled row of images per class; returns its width and height.

    Raises:
        RecipeError: if the sheet would be too large.
        OutputError: if the file cannot be written.
    """
    check_output(path, force)
    sheet = draw_contact_sheet(decoded, per_class, scale)
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    write_atomically(stream.getvalue(), path)
    return sheet.size


def draw_contact_sheet(decoded: DecodedFile, per_class: int, scale: int) -> Image:
    """Draw one row per class: its name, then its first images, nearest-neighbour scaled.

    Raises:
        RecipeError: if the sheet would be too large.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_FONT_SIZE)
    names = [printable(name)[:_LONGEST_LABEL] for name in decoded.class_names]
    label_width = round(max(font.getlength(name) for name in names)) + 4 * MARGIN
    counts = np.bincount(decoded.labels, minlength=len(names))
    columns = min(per_class, int(counts.max()))
    cell_height = scale * decoded.header.height + MARGIN
    cell_width = scale * decoded.header.width + MARGIN
    row_height = max(cell_height, _FONT_SIZE + 2 * MARGIN)
    size = (label_width + columns * cell_width, len(names) * row_height + MARGIN)
    if size[0] * size[1] > LARGEST_SHEET_PIXELS:
        raise RecipeError(
            f"The sheet would have {size[0]} x {size[1]} pixels, which is too large; lower "
            "--per-class or --scale."
        )
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for label, name in enumerate(names):
        top = MARGIN + label * row_height
        pen.text((2 * MARGIN, top + row_height / 2), name, "black", font, anchor="lm")
        members = np.flatnonzero(decoded.labels == label)[:columns]
        for column, index in enumerate(members):
            pixels = decoded.images[index].repeat(scale, axis=1).repeat(scale, axis=2)
            sheet.paste(_picture(pixels), (label_width + column * cell_width, top))
    return sheet


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


def _write_images(decoded: DecodedFile, folder: Path) -> None:
    """Write class folders and the list of labels into a new folder."""
    folder.mkdir()
    digits = max(4, len(str(len(decoded.labels) - 1)))
    folders = class_folders(decoded.class_names)
    for name in folders:
        (folder / name).mkdir()
    with (folder / LABELS_FILE).open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(_LABELS_HEADER)
        first = np.searchsorted(decoded.labels, np.arange(len(folders)))
        for index, label in enumerate(decoded.labels.tolist()):
            filename = f"{folders[label]}/{index - int(first[label]):0{digits}}.png"
            _picture(decoded.images[index]).save(folder / filename, "PNG")
            table.writerow((filename, label, decoded.class_names[label]))


def _picture(pixels: NDArray[np.uint8]) -> Image:
    from PIL import Image

    if len(pixels) == 1:
        return Image.fromarray(pixels[0])
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


@contextmanager
def _temporary_folder(target: Path) -> Iterator[Path]:
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield partial
    finally:
        if (partial / "old").exists() and not target.exists():
            (partial / "old").rename(target)
        shutil.rmtree(partial, ignore_errors=True)


def _check_parent(path: Path) -> None:
    """Check that the folder a result goes to exists and can be written, by writing."""
    parent = path.resolve().parent
    if not parent.is_dir():
        raise OutputError(f"There is no folder '{path.parent}' to write '{path.name}' to.")
    with tempfile.TemporaryFile(dir=parent):
        pass


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _is_export(folder: Path) -> bool:
    """Tell whether a folder holds nothing but what `ddc decode` wrote."""
    labels = folder / LABELS_FILE
    if not labels.is_file():
        return False
    try:
        with labels.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (csv.Error, UnicodeDecodeError):
        return False
    if not rows or tuple(rows[0]) != _LABELS_HEADER:
        return False
    known = {row[0] for row in rows if row} | {LABELS_FILE}
    return all(
        path.relative_to(folder).as_posix() in known or (path.is_dir() and not path.is_symlink())
        for path in folder.rglob("*")
    )


def _cannot_write(path: Path, error: OSError | ValueError) -> OutputError:
    reason = error.strerror if isinstance(error, OSError) else "it is not a path"
    return OutputError(f"Cannot write '{path}': {reason}.")

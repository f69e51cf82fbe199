"""PNG files, one folder for each class, and a table of labels."""

from __future__ import annotations

import csv
from collections.abc import Set
from pathlib import Path

from ddcodec.export.folder_names import LABELS_FILE, class_folders
from ddcodec.export.picture import picture
from ddcodec.export.source import ExportSource

_LABELS_HEADER = ("filename", "label", "class")


class PngFolder:
    """See `Exporter`."""

    suffix = ""

    def write(self, source: ExportSource, target: Path) -> None:
        """Write class folders and the table into an empty folder; see `Exporter`."""
        digits = max(4, len(str(source.largest_number)))
        folders = class_folders(source.class_names)
        # Of a selection, classes without an image are left out: programs that read class folders
        # take no empty ones.
        wanted = set(source.labels.tolist()) if source.is_part else set(range(len(folders)))
        for label in wanted:
            (target / folders[label]).mkdir()
        with (target / LABELS_FILE).open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(_LABELS_HEADER)
            for item in source.items():
                filename = f"{folders[item.label]}/{item.number_in_class:0{digits}}.png"
                picture(item.pixels).save(target / filename, "PNG")
                table.writerow((filename, item.label, source.class_names[item.label]))

    def written_files(self, folder: Path) -> Set[str]:
        """Return what the table lists, and the table; see `Exporter`."""
        labels = folder / LABELS_FILE
        if not labels.is_file():
            return frozenset()
        try:
            with labels.open(encoding="utf-8", newline="") as stream:
                rows = list(csv.reader(stream))
        except (csv.Error, UnicodeDecodeError):
            return frozenset()
        if not rows or tuple(rows[0]) != _LABELS_HEADER:
            return frozenset()
        return {row[0] for row in rows if row} | {LABELS_FILE}

"""What a format is to the rest of the program."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Protocol

from ddcodec.export.source import ExportSource


class Exporter(Protocol):
    """Write images and labels in one format."""

    @property
    def suffix(self) -> str:
        """What the name of the output ends in; empty where it is a folder."""
        ...

    def write(self, source: ExportSource, target: Path) -> None:
        """Write everything to an empty file or folder that nobody else looks at yet.

        Images have to be written as they come; few fit in memory at once.

        Raises:
            OSError: if something cannot be written.
            FormatError: if the file turns out to be damaged.
            OutputError: if a library is missing.
        """
        ...

    def written_files(self, folder: Path) -> Set[str]:
        """Return the names of what an earlier export wrote into a folder, relative to it.

        Empty where the folder was not written by this format, or where the output is a file.
        """
        ...

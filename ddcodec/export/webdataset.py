"""Tar shards as WebDataset reads them: `NUMBER.png` and `NUMBER.cls`, one after the other."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Set
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ddcodec.export.picture import png_bytes
from ddcodec.export.source import ExportSource, Item

DESCRIPTION_FILE = "dataset.json"
_FORMAT = "webdataset by ddcodec"
_KEY_DIGITS = 8


@dataclass(frozen=True)
class WebDatasetShards:
    """See `Exporter`.

    Attributes:
        shard_bytes: a shard that is larger is the last to take an image.
    """

    shard_bytes: int = 64 << 20

    @property
    def suffix(self) -> str:
        """Nothing: the output is a folder."""
        return ""

    def write(self, source: ExportSource, target: Path) -> None:
        """Write shards and a description into an empty folder; see `Exporter`."""
        items = source.items()
        shards: list[str] = []
        for item in items:
            shards.append(f"shard-{len(shards):06}.tar")
            self._write_shard(target / shards[-1], item, items)
        description = {
            "format": _FORMAT,
            "shards": shards,
            "images": len(source),
            "class_names": source.class_names,
            "mean": source.mean,
            "std": source.std,
        }
        text = json.dumps(description, indent=1, ensure_ascii=False)
        (target / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8")

    def _write_shard(self, path: Path, first: Item, others: Iterator[Item]) -> None:
        """Write a shard of `first` and as many of the others as fit."""
        with path.open("wb") as stream, closing(tarfile.open(fileobj=stream, mode="w")) as shard:
            _add(shard, first)
            while stream.tell() < self.shard_bytes:
                item = next(others, None)
                if item is None:
                    break
                _add(shard, item)

    def written_files(self, folder: Path) -> Set[str]:
        """Return what the description lists, and the description; see `Exporter`."""
        try:
            description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
            if description["format"] != _FORMAT:
                return frozenset()
            return {DESCRIPTION_FILE, *map(str, description["shards"])}
        except (OSError, ValueError, KeyError, TypeError):
            return frozenset()


def _add(shard: tarfile.TarFile, item: Item) -> None:
    """Add both members of an image; nothing but the image decides on their bytes."""
    for suffix, data in (("png", png_bytes(item.pixels)), ("cls", str(item.label).encode())):
        member = tarfile.TarInfo(f"{item.number:0{_KEY_DIGITS}}.{suffix}")
        member.size = len(data)
        shard.addfile(member, io.BytesIO(data))

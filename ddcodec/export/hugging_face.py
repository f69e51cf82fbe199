"""A dataset repository in the layout of Hugging Face `datasets`, for `load_dataset(FOLDER)`.

Parquet shards in `data/` and a `README.md` whose YAML head names features and splits; it loads
without a network.
"""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ddcodec.export.folder_names import unique_names
from ddcodec.export.parquet import write_table
from ddcodec.export.source import ExportSource

README_FILE = "README.md"
_MARK = "<!-- written by ddc decode -->"


@dataclass(frozen=True)
class HuggingFaceFolder:
    """See `Exporter`.

    Attributes:
        shard_bytes: of uncompressed pixels, at most, in a shard of more than one image.
    """

    shard_bytes: int = 256 << 20

    @property
    def suffix(self) -> str:
        """Nothing: the output is a folder."""
        return ""

    def write(self, source: ExportSource, target: Path) -> None:
        """Write the README and the shards into an empty folder; see `Exporter`."""
        channels, height, width = source.image_shape
        per_shard = max(1, self.shard_bytes // (channels * height * width))
        num_shards = -(-len(source) // per_shard)
        (target / "data").mkdir()
        items = source.items()
        for index in range(num_shards):
            path = target / "data" / f"train-{index:05}-of-{num_shards:05}.parquet"
            write_table(islice(items, per_shard), source.class_names, path)
        # Whether the file is damaged shows when it is asked for one image more than it has.
        next(items, None)
        (target / README_FILE).write_text(_readme(source), encoding="utf-8")

    def written_files(self, folder: Path) -> Set[str]:
        """Return the README, if it is ours, and all shards; see `Exporter`."""
        try:
            is_ours = _MARK in (folder / README_FILE).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return frozenset()
        shards = {f"data/{path.name}" for path in folder.glob("data/train-*-of-*.parquet")}
        return {README_FILE, *shards} if is_ours else frozenset()


def _readme(source: ExportSource) -> str:
    # What JSON quotes, YAML reads.
    names = "\n".join(
        f"          '{label}': {json.dumps(name, ensure_ascii=False)}"
        for label, name in enumerate(unique_names(source.class_names))
    )
    size = "x".join(map(str, source.image_shape[1:]))
    return f"""---
task_categories:
- image-classification
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
{names}
  splits:
  - name: train
    num_examples: {len(source)}
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
---

{_MARK}

A training set of {len(source)} images of {size} pixels, decoded from a `.ddc` file.
Mean and deviation of pixels scaled to [0, 1]: {source.mean} and {source.std}.
"""

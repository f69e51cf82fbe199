"""A Parquet table of PNG images and labels, typed as the `datasets` library types them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Set
from itertools import islice
from pathlib import Path
from typing import Any

from ddcodec.errors import OutputError
from ddcodec.export.folder_names import unique_names
from ddcodec.export.picture import png_bytes
from ddcodec.export.source import ExportSource, Item

ROW_GROUP_IMAGES = 100
"""Images a reader has to load at once; `datasets` itself writes image tables so."""


class ParquetFile:
    """See `Exporter`."""

    suffix = ".parquet"

    def write(self, source: ExportSource, target: Path) -> None:
        """Write one table; see `Exporter`."""
        write_table(source.items(), source.class_names, target)

    def written_files(self, folder: Path) -> Set[str]:
        """Return nothing: the output is a file."""
        return frozenset()


def write_table(items: Iterable[Item], class_names: tuple[str, ...], target: Path) -> None:
    """Write the columns `image` (bytes of a PNG, its name) and `label`, some rows at a time.

    Raises:
        OutputError: if pyarrow is not installed.
    """
    pyarrow = _pyarrow()
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    metadata = {"huggingface": json.dumps({"info": {"features": _features(class_names)}})}
    schema = pyarrow.schema([("image", image), ("label", pyarrow.int64())], metadata=metadata)
    remaining = iter(items)
    # Pictures are compressed already.
    with pyarrow.parquet.ParquetWriter(target, schema, compression="none") as writer:
        while group := list(islice(remaining, ROW_GROUP_IMAGES)):
            pictures = [
                {"bytes": png_bytes(item.pixels), "path": f"{item.number:08}.png"} for item in group
            ]
            columns = {"image": pictures, "label": [item.label for item in group]}
            writer.write_table(pyarrow.table(columns, schema=schema))


def _features(class_names: tuple[str, ...]) -> dict[str, Any]:
    # `datasets` takes no name twice; these are unique and free of control characters.
    label = {"names": list(unique_names(class_names)), "_type": "ClassLabel"}
    return {"image": {"_type": "Image"}, "label": label}


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise OutputError(
            "Parquet needs pyarrow, which is not installed: pip install 'ddcodec[parquet]'."
        ) from error
    return pyarrow

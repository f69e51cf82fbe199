"""Tables, shards and lists of labels that claim more than they hold."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from array_bombs import MIB
from image_trees import Files, flat, write_folder, write_tar


def _parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path, store_schema=False, **options)
    return path


def _repeated(value: Any, count: int, kind: Any) -> Any:
    """Return a column that says one value many times, as it would be stored."""
    import pyarrow

    index = pyarrow.repeat(pyarrow.scalar(0, pyarrow.int32()), count)
    return pyarrow.DictionaryArray.from_arrays(index, pyarrow.array([value], kind))


def images_parquet(folder: Path) -> Path:
    """An image of 17 MB forty times, stored once."""
    import pyarrow

    picture = flat(1) + bytes(17 * MIB)
    columns = {
        "image": _repeated(picture, 40, pyarrow.binary()),
        "label": pyarrow.array([n % 2 for n in range(40)]),
    }
    return _parquet(folder / "images.parquet", columns, dictionary_pagesize_limit=2**30)


def rows_parquet(folder: Path) -> Path:
    """Three million rows in some kilobytes."""
    import pyarrow

    count = 3_000_000
    columns = {
        "image": _repeated(flat(1), count, pyarrow.binary()),
        "label": pyarrow.repeat(pyarrow.scalar(0, pyarrow.int8()), count),
    }
    return _parquet(folder / "rows.parquet", columns, row_group_size=count)


def labels_parquet(folder: Path) -> Path:
    """A label of 5 MB in a hundred rows."""
    import pyarrow

    columns = {
        "image": pyarrow.array([flat(n % 200) for n in range(100)]),
        "label": _repeated("x" * (5 * MIB), 100, pyarrow.string()),
    }
    return _parquet(folder / "labels.parquet", columns, dictionary_pagesize_limit=2**30)


def long_label_parquet(folder: Path) -> Path:
    """One label of a thousand characters among two thousand short ones."""
    import pyarrow

    count = 2000
    columns = {
        "image": _repeated(flat(1), count, pyarrow.binary()),
        "label": pyarrow.array(["x" * 1000] + [f"{n % 2}" for n in range(count - 1)]),
    }
    return _parquet(folder / "long.parquet", columns)


def columns_parquet(folder: Path) -> Path:
    """A thousand columns, none of which is known."""
    import pyarrow

    columns = {f"a column with a long name {n}": pyarrow.array([1]) for n in range(1000)}
    return _parquet(folder / "columns.parquet", columns)


def nested_parquet(folder: Path) -> Path:
    """A description nested a million deep."""
    import pyarrow

    table = pyarrow.table({"image": pyarrow.array([flat(1)] * 2), "label": pyarrow.array([0, 1])})
    table = table.replace_schema_metadata({b"huggingface": b"[" * 1_000_000})
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, folder / "nested.parquet")
    return folder / "nested.parquet"


def _member(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def image_shard(folder: Path) -> Path:
    """An image of 3 GB, all of it a hole of the disk."""
    path = write_tar(folder / "big.tar", {"0.png": flat(1), "0.cls": b"0"})
    size = 3 << 30
    with path.open("r+b") as file:
        file.seek(4 * 512)
        file.write(_member("1.png", size))
        file.seek(size, io.SEEK_CUR)
        file.write(_member("1.cls", 1) + b"1".ljust(512, b"\0") + bytes(10240))
    return path


def label_shard(folder: Path, label: bytes, suffix: str = "cls") -> Path:
    """Return a shard in which one of two images has a label."""
    files = {"0.png": flat(1), f"0.{suffix}": label, "1.png": flat(2), "1.cls": b"1"}
    return write_tar(folder / "label.tar", files)


def description(folder: Path) -> Path:
    """Shards beside a description of 30 MB of empty lists."""
    label_shard(folder, b"0")
    text = b'{"class_names": [' + b"[]," * (10 * MIB) + b"[]]}"
    return write_folder(folder, {"dataset.json": text})


def _listed(folder: Path, name: str, text: bytes) -> Path:
    files: Files = {f"{n}.png": flat(n) for n in range(4)}
    return write_folder(folder / "listed", {**files, name: text})


_ROWS = b"filename,label\n0.png,a\n1.png,b\n2.png,a\n3.png,b\n"


def rows_csv(folder: Path) -> Path:
    """Four million rows of two cells."""
    return _listed(folder, "labels.csv", _ROWS + b"x,y\n" * (4 * MIB))


def lines_csv(folder: Path) -> Path:
    """Sixty million lines that end as few do."""
    return _listed(folder, "labels.csv", _ROWS + b"\x0b" * (60 * MIB))


def columns_csv(folder: Path) -> Path:
    """A million columns."""
    line = b"0.png," + b"x," * 1_000_000 + b"\n"
    return _listed(folder, "labels.csv", line * 4)


def line_csv(folder: Path) -> Path:
    """A line of 60 MB."""
    return _listed(folder, "labels.csv", b"0.png," + b"x" * (60 * MIB))


def deep_json(folder: Path) -> Path:
    """Lists in one another, a million deep."""
    return _listed(folder, "labels.json", b"[" * 1_000_000)


def wide_json(folder: Path) -> Path:
    """Five million empty objects."""
    return _listed(folder, "labels.json", b"[" + b"{}," * (5 * MIB) + b"{}]")


def keys_jsonl(folder: Path) -> Path:
    """Fifty thousand records, each with columns of its own."""
    lines = (json.dumps({"file_name": f"{n}.png", f"a{n}": 1}) for n in range(50_000))
    return _listed(folder, "metadata.jsonl", "\n".join(lines).encode())


def names_tree(folder: Path, count: int = 3000) -> Path:
    """As many images of one name as rows that mean none of them."""
    picture = flat(1)
    files = {f"images/{n}/0.png": picture for n in range(count)}
    rows = "".join(f"elsewhere/{'x/' * 30}{n}/0.png,{n % 2}\n" for n in range(count))
    return write_tar(folder / "names.tar", {**files, "labels.csv": f"file,label\n{rows}".encode()})


def slashes(folder: Path) -> Path:
    """Rows whose paths are of a hundred thousand folders."""
    row = b"x/" * 60_000 + b"0.png,a\n"
    return _listed(folder, "labels.csv", _ROWS + row * 200)


def deep_tar(folder: Path) -> Path:
    """A path of a hundred thousand folders."""
    files = {"a/" * 100_000 + "0.png": flat(1), "b/0.png": flat(2)}
    return write_tar(folder / "deep.tar", files)

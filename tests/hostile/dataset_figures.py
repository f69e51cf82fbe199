"""Print what hostile datasets cost: `python tests/hostile/dataset_figures.py`.

For each file its size, the most memory that reading it takes beyond the process, and the seconds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import archive_bombs
import array_bombs
import image_bombs
import official_bombs
import parquet_bombs
import table_bombs
import zip_bombs
from array_bombs import MIB
from bounded import outcome
from image_trees import flat, write_folder

from ddcodec.datasets import load_dataset
from ddcodec.datasets.given_images import load_given_images

Craft = Callable[[Path], Path]


def _tree(image: bytes, name: str) -> Craft:
    def craft(folder: Path) -> Path:
        files = {f"ant/{name}": image, "bee/1.png": flat(1, size=(16, 8))}
        return write_folder(folder / "tree", files)

    return craft


CASES: tuple[tuple[str, str, Craft], ...] = (
    (".npz, 1.2 GB of zeros", "", array_bombs.zeros_npz),
    (".npz, header of 1 GB", "", array_bombs.header_npz),
    (".pt, 500,000 images of stride 0", "", array_bombs.stride_pt),
    (".pt, 1 GB of zeros", "", array_bombs.deflated_pt),
    (".tar.xz, PAX header of 300 MB", "", archive_bombs.pax_tar),
    (".tar.xz, two million members", "", archive_bombs.members_tar),
    (".tar.gz, 1.2 GB of zeros", "", archive_bombs.zeros_tar),
    (".zip, 60 lists of 60 MB", "", archive_bombs.lists_zip),
    (".zip, entries of no members", "", zip_bombs.entries_zip),
    (".npz, entries of no members", "", zip_bombs.entries_npz),
    (".pt, entries of no members", "", zip_bombs.entries_pt),
    (".zip, 100 names of 65 kB", "", zip_bombs.names_zip),
    (".zip, 16,000 extra fields", "", zip_bombs.extra_zip),
    (".zip, directory of 3 GB of holes", "", zip_bombs.hole_zip),
    ("CIFAR-10, text coded 10,000 times", "cifar10", official_bombs.encoded),
    ("MNIST, 1 GB of zeros", "mnist", official_bombs.idx),
    ("SVHN, 1 GB of zeros", "svhn", official_bombs.matlab),
    ("Parquet, 17 MB in 40 rows", "", table_bombs.images_parquet),
    ("Parquet, page of 1 GB of zeros", "", parquet_bombs.page_parquet),
    ("Parquet, 500,000 columns", "", parquet_bombs.schema_parquet),
    ("Parquet, 500,000 parts of a row group", "", parquet_bombs.columns_parquet),
    ("Parquet, metadata of 3 GB of holes", "", parquet_bombs.hole_parquet),
    ("WebDataset, image of 3 GB", "", table_bombs.image_shard),
    ("labels.csv, four million rows", "", table_bombs.rows_csv),
    ("labels.csv, a million columns", "", table_bombs.columns_csv),
    ("PNG, EXIF of 3,000 fields of 1 MB", "", _tree(image_bombs.exif_png(), "x.png")),
    ("JPEG 2000, 65,025 tiles", "", _tree(image_bombs.tiles_jp2(), "x.j2k")),
)


def main() -> None:
    """Print a line for each file."""
    for what, dataset, craft in CASES:
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            path = craft(folder)
            files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
            size = max(file.stat().st_size for file in files)
            found = outcome(lambda: _read(dataset, path, folder / "cache"), 16 << 30)  # noqa: B023
            end = found.fault.strip().splitlines()[-1:] or [found.message or "read"]
            peak_mib = found.peak_bytes / MIB
            print(
                f"{what:34} {size / 1000:10,.0f} kB {peak_mib:6.0f} MiB {found.seconds:6.2f} s  "
                f"{end[0].replace(text, '')[:90]}",
                flush=True,
            )


def _read(dataset: str, path: Path, cache: Path) -> object:
    if path.suffix == ".pt":
        return load_given_images(path, cache)
    return (
        load_dataset(dataset, path, cache) if dataset else load_dataset(str(path), cache_dir=cache)
    )


if __name__ == "__main__":
    main()

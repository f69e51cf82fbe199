"""`ddc datasets`: what is known by name, and what of it is in the cache."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import click

from ddcodec.cli.shared.console import print_facts, print_table
from ddcodec.cli.shared.options import json_option
from ddcodec.format.printable import printable


@dataclass(frozen=True)
class Listed:
    """Say what is known of a dataset.

    Attributes:
        name: as `ddc distill` takes it.
        classes: how many.
        channels, height, width: of its images.
        train_images, test_images: how many, or None where that is not known beforehand.
        home: where its authors publish it.
        download_bytes: what `ddc` downloads, or None where it has to be brought with --data.
        downloaded_bytes: what of it is in the cache.
        decoded_bytes: what its decoded arrays take in the cache.
    """

    name: str
    classes: int
    channels: int
    height: int
    width: int
    train_images: int | None
    test_images: int | None
    home: str
    download_bytes: int | None
    downloaded_bytes: int
    decoded_bytes: int


@click.command("datasets")
@json_option
def datasets_command(as_json: bool) -> None:
    """List the datasets that are known by name, and what the cache holds of them.

    Where no network exists, or a dataset takes an account to download, pass --data with a copy to
    the command that needs it. Images of your own need no name: pass their path for DATASET.
    """
    from ddcodec.datasets import default_cache_dir
    from ddcodec.datasets.cache import cached_bytes

    cache_dir = default_cache_dir()
    decoded = cached_bytes(cache_dir)
    rows = [_listed(name, decoded.pop(name, 0)) for name in _names()]
    if as_json:
        listed = [asdict(row) for row in rows]
        facts = {"cache": str(cache_dir), "datasets": listed, "other_decoded_bytes": decoded}
        print(json.dumps(facts, indent=2))
        return
    columns = ("name", "classes", "image", "train", "test", "download", "cached")
    print_table(columns, [_cells(row) for row in rows])
    print_facts([(row.name, row.home) for row in rows])
    print(f"\nCache: {cache_dir}")
    for name, size in decoded.items():
        print(f"Of your own: {printable(name)}, {_megabytes(size)}")


def _names() -> tuple[str, ...]:
    from ddcodec.datasets import DATASETS

    return tuple(DATASETS)


def _listed(name: str, decoded_bytes: int) -> Listed:
    from ddcodec.datasets import DATASETS, default_cache_dir
    from ddcodec.datasets.sources.download import downloaded_bytes

    dataset = DATASETS[name]
    return Listed(
        name,
        dataset.num_classes,
        *dataset.shape,
        dataset.train_images,
        dataset.test_images,
        dataset.home,
        sum(file.num_bytes for file in dataset.files) if dataset.files else None,
        downloaded_bytes(dataset.files, default_cache_dir()),
        decoded_bytes,
    )


def _cells(row: Listed) -> tuple[str, ...]:
    cached = row.decoded_bytes + row.downloaded_bytes
    counts = (row.train_images, row.test_images)
    return (
        row.name,
        str(row.classes),
        f"{row.height}x{row.width}x{row.channels}",
        *("?" if count is None else f"{count:,}" for count in counts),
        "-" if row.download_bytes is None else _megabytes(row.download_bytes),
        _megabytes(cached) if cached else "-",
    )


def _megabytes(num_bytes: int) -> str:
    return "<1 MB" if num_bytes < 1e6 else f"{num_bytes / 1e6:,.0f} MB"

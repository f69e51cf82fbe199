"""`ddc datasets`: what is known by name and in the cache, or what one dataset is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import click

from ddcodec.cli.shared.console import print_facts, print_table
from ddcodec.cli.shared.loading import cache_limit, cache_limit_option, size_option
from ddcodec.cli.shared.options import json_option
from ddcodec.format.printable import printable

SHOWN_CLASSES = 10


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
@click.argument("dataset", required=False)
@size_option
@cache_limit_option
@json_option
def datasets_command(dataset: str | None, size: str | None, as_json: bool) -> None:
    """List the datasets that are known by name, or check DATASET, a name or a path.

    The list says what the cache holds of each. Where no network exists, or a dataset takes an
    account to download, pass --data with a copy to the command that needs it. Images of your own
    need no name: pass their path for DATASET, here to see what would be read of them: classes,
    images, and what is left out and why.
    """
    if dataset is not None:
        _check(dataset, size, as_json)
        return
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
    for name, num_bytes in decoded.items():
        print(f"Of your own: {printable(name)}, {_megabytes(num_bytes)}")


def _check(dataset: str, size: str | None, as_json: bool) -> None:
    """Print what is read of one dataset."""
    from ddcodec.cli.shared.console import waiting
    from ddcodec.datasets import LoadProgress, load_dataset
    from ddcodec.datasets.summary import summarise

    with waiting(f"Loading {dataset}.") as say:

        def show(progress: LoadProgress) -> None:
            say(f"Loading {dataset}, the first time only: {progress}.")

        limit = cache_limit()
        loaded = load_dataset(dataset, size=size, on_progress=show, cache_limit=limit)
        summary = summarise(loaded)
    if as_json:
        print(json.dumps(asdict(summary), indent=2))
        return
    low, high = summary.smallest_class_images, summary.largest_class_images
    test = "none" if summary.test_images is None else f"{summary.test_images:,}"
    print_facts(
        [
            ("dataset", summary.name),
            ("classes", f"{summary.classes:,}: {_shown(summary.class_names)}"),
            ("images", f"{summary.height}x{summary.width}x{summary.channels}"),
            ("training images", f"{summary.train_images:,}"),
            ("smallest class", f"{summary.smallest_class}, {low:,}"),
            ("largest class", f"{summary.largest_class}, {high:,}"),
            ("test images", test),
            *(("note", note) for note in summary.notes),
        ]
    )


def _shown(names: tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN_CLASSES]) + (", …" if len(names) > SHOWN_CLASSES else "")


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

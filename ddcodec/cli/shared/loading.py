"""Load a dataset for a command, saying how far it is where that takes long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ddcodec.datasets import Dataset


def parse_image_size(text: str) -> str:
    """Read the value of --size."""
    from ddcodec.datasets import ImageSize
    from ddcodec.errors import DataError

    try:
        return str(ImageSize.of(text))
    except DataError as error:
        raise click.BadParameter(str(error)) from error


size_option = click.option(
    "--size", type=parse_image_size, metavar="N|HxW", show_default="as they are",
    help="Bring images to this size: the short side is scaled, the middle kept.",
)  # fmt: skip


def load(name: str, data: str | None, size: str | None, say: Callable[[str], None]) -> Dataset:
    """Load a dataset as `load_dataset` does, and say what of one's own was read.

    Args:
        name: as for `load_dataset`.
        data: what `--data` says.
        size: what `--size` says.
        say: what `waiting` yields.

    Raises:
        DataError: if there is no such dataset or something is wrong with it.
    """
    from ddcodec.datasets import DATASETS, LoadProgress, load_dataset

    def show(progress: LoadProgress) -> None:
        say(f"Loading {name}, the first time only: {progress}.")

    dataset = load_dataset(name, data, size=size, on_progress=show)
    say_what_was_read(dataset, is_known=name in DATASETS)
    return dataset


def say_what_was_read(dataset: Dataset, is_known: bool = False) -> None:
    """Print the numbers of a dataset that is not known by name, and what was left out of any."""
    from ddcodec.datasets.summary import summarise
    from ddcodec.format.printable import printable

    if not is_known:
        click.echo(f"ddc: {printable(summarise(dataset).sentence())}", err=True)
    for note in dataset.notes:
        click.echo(f"ddc: {printable(note)}", err=True)

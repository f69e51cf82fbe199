"""Load a dataset for a command, saying how far it is where that takes long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ddcodec.datasets import Dataset
    from ddcodec.evaluation.candidates.candidate import Candidate


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


_CACHE_LIMIT, _SAID = "ddcodec.cache_limit", "ddcodec.said"


def _keep_cache_limit(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> int | None:
    """Keep the value of --cache-limit for `cache_limit`, whatever is loaded by the command."""
    from ddcodec.datasets.cache import parse_cache_limit
    from ddcodec.errors import DataError

    if text is not None:
        try:
            context.meta[_CACHE_LIMIT] = parse_cache_limit(text, "it")
        except DataError as error:
            raise click.BadParameter(str(error)) from error
    return None


cache_limit_option = click.option(
    "--cache-limit", metavar="SIZE", show_default="none, or $DDC_CACHE_LIMIT",
    expose_value=False, callback=_keep_cache_limit,
    help="Bytes of decoded images, such as 2G, that the dataset may take in the cache; of more, "
    "images are decoded when needed.",
)  # fmt: skip


def cache_limit() -> int | None:
    """Return what --cache-limit of the command that is running says."""
    limit: int | None = click.get_current_context().meta.get(_CACHE_LIMIT)
    return limit


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

    dataset = load_dataset(name, data, size=size, on_progress=show, cache_limit=cache_limit())
    say_what_was_read(dataset, is_known=name in DATASETS)
    return dataset


def say_what_was_read(dataset: Dataset, is_known: bool = False) -> None:
    """Print the numbers of a dataset that is not known by name, and what was left out of any."""
    from ddcodec.datasets.summary import summarise

    if not is_known:
        _say(summarise(dataset).sentence())
    for note in dataset.notes:
        _say(note)


def say_if_numbered(candidate: Candidate, path: Path, real: Dataset) -> None:
    """Print that classes go by their order, where a training set has no names for them."""
    if candidate.is_numbered:
        _say(
            f"'{path.name}' has numbers for classes, which are taken in the order of those of "
            f"{real.name}."
        )


def _say(sentence: str) -> None:
    """Print a sentence beside the results, whatever names of the user's stand in it.

    Once: a sweep loads its dataset for every file, and again to evaluate it.
    """
    from ddcodec.format.printable import printable

    said: set[str] = click.get_current_context().meta.setdefault(_SAID, set())
    if sentence in said:
        return
    said.add(sentence)
    click.echo(f"ddc: {printable(sentence)}", err=True)

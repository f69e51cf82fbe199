"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ddcodec.budget import parse_bytes
from ddcodec.errors import BudgetError, RecipeError
from ddcodec.format.limits import DecodeLimits

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

PATH = click.Path(path_type=Path)
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Size:
    """A size as it was typed, and in bytes."""

    text: str
    num_bytes: float


def parse_size(text: str) -> Size:
    """Read the value of an option that is a size."""
    try:
        return Size(text.strip(), parse_bytes(text))
    except BudgetError as error:
        raise click.BadParameter(str(error)) from error


def parse_decoder(text: str) -> str:
    """Check the value of --synthesis."""
    from ddcodec.codec import synthesis
    from ddcodec.distill.recipe.recipe import SEARCH

    if text == SEARCH:
        return text
    try:
        return str(synthesis.parse_decoder(text))
    except RecipeError as error:
        raise click.BadParameter(str(error)) from error


def parse_time(text: str) -> float:
    """Read the value of --time in seconds."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h)?\s*", text)
    if found is None or float(found[1]) == 0:
        raise click.BadParameter(f"'{text}' is not like 30m, 90s or 2h.")
    return float(found[1]) * {"m": 60, "min": 60, "h": 3600}.get(found[2] or "s", 1)


def parse_positive(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is not a number.") from error
    if not 0 < number < float("inf"):
        raise click.BadParameter(f"{text} must be above 0.")
    return number


def named_number(example: str) -> Callable[[str], tuple[str, float]]:
    """Return a reader of NAME=NUMBER, by which whole numbers stay whole.

    Args:
        example: What such a value looks like, for the error.
    """

    def parse_named_number(text: str) -> tuple[str, float]:
        name, separator, value = text.partition("=")
        try:
            number = float(value)
        except ValueError as error:
            raise click.BadParameter(f"'{text}' is not like {example}.") from error
        if not separator or not name:
            raise click.BadParameter(f"'{text}' is not like {example}.")
        is_whole = value.strip().lstrip("+-").isdecimal()
        return name.strip(), int(value) if is_whole else number

    return parse_named_number


def whole_number(least: int, most: int = 2**63 - 1) -> Callable[[str], int]:
    """Return a reader of whole numbers that does not print its bounds in the help."""

    def parse_number(text: str) -> int:
        try:
            number = int(text)
        except ValueError as error:
            raise click.BadParameter(f"'{text}' is not a whole number.") from error
        if not least <= number <= most:
            bounds = f"at least {least}" if number < least else f"at most {most}"
            raise click.BadParameter(f"{number} is out of range; it must be {bounds}.")
        return number

    return parse_number


COUNT = whole_number(least=1)

file_argument = click.argument("file", type=PATH)
classes_option = click.option(
    "--classes", metavar="CLASSES", show_default="all",
    help="Names, numbers and ranges of numbers of classes, such as cat,3,10-19.",
)  # fmt: skip
force_option = click.option("-f", "--force", is_flag=True, help="Replace an existing output.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
data_option = click.option(
    "--data",
    metavar="PATH",
    help="What holds the dataset: a folder, an archive, a list of labels, a table, an .npz or .pt.",
)
device_option = click.option(
    "--device", type=click.Choice(DEVICES), default="cpu", help="Where to compute."
)
hold_out_option = click.option(
    "--hold-out/--no-hold-out", default=True,
    help="Keep a tenth of the training images from learning, to validate on; or learn from all.",
)  # fmt: skip


def with_options(options: Sequence[Decorator], command: Command) -> Command:
    """Add options to a command, in their order."""
    for decorate in reversed(options):
        command = decorate(command)  # type: ignore[assignment]
    return command


def limit_options(command: Command) -> Command:
    """Add --max-seconds and --max-bytes, and hand them to a command as `limits`."""

    @click.option(
        "--max-seconds",
        type=parse_positive,
        metavar="S",
        show_default="by the size of the file",
        help="Most seconds of one core that decoding a .ddc may claim.",
    )
    @click.option(
        "--max-bytes",
        type=parse_size,
        metavar="SIZE",
        show_default="by the size of the file, at most 1 GB; 64 MiB of file",
        help="Most memory that decoding a .ddc may claim; also how large it may be itself.",
    )
    @functools.wraps(command)
    def limited(
        *arguments: Any, max_seconds: float | None, max_bytes: Size | None, **settings: Any
    ) -> Any:
        limits = DecodeLimits(max_seconds=max_seconds)
        if max_bytes is not None:
            largest = int(max_bytes.num_bytes)
            file_limit = max(largest, limits.max_file_bytes)
            limits = DecodeLimits(file_limit, max_bytes=largest, max_seconds=max_seconds)
        return command(*arguments, limits=limits, **settings)

    return limited  # type: ignore[return-value]


def check_device(device: str) -> None:
    """Refuse a GPU that is not there, before anything else takes time.

    Raises:
        RecipeError: if torch finds no GPU.
    """
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise RecipeError("A GPU was asked for, but torch finds none; use --device cpu.")

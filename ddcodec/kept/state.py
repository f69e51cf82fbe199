"""States that go on: what is read is compared with what goes on from it, before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddcodec.errors import DataError

MOST_THREADS = 1024
"""More would be asked for by a file that nobody wrote: the system refuses them by a crash."""


def checked_threads(value: Any) -> int:
    """Return a number of threads.

    Raises:
        ValueError: if it is none.
    """
    if not _is_whole(value) or not 1 <= value <= MOST_THREADS:
        raise ValueError(f"{value!r} threads")
    return int(value)


def checked_count(value: Any, least: int = 0, most: int = 2**40) -> int:
    """Return a whole number in a range.

    Raises:
        ValueError: if it is none.
    """
    if not _is_whole(value) or not least <= value <= most:
        raise ValueError(f"{value!r} is not from {least} to {most}")
    return int(value)


def checked_counts(values: Any, length: int) -> list[int]:
    """Return rising whole numbers, such as a step and how many there are.

    Raises:
        ValueError: if they are others, or more or fewer.
    """
    counts = [checked_count(value) for value in values]
    if len(counts) != length or counts != sorted(counts):
        raise ValueError(f"{counts} do not rise")
    return counts


def check_rows(read: Any, count: int) -> None:
    """Refuse what are no rows of a table.

    Raises:
        ValueError: if it is no int64 vector of numbers below `count`.
    """
    check_like(read, torch.empty(len(read), dtype=torch.int64))
    if len(read) and not 0 <= int(read.min()) <= int(read.max()) < count:
        raise ValueError("rows of other images")


def check_like(read: Any, own: Any, where: str = "state") -> None:
    """Compare the form of a state that was read with that of one's own.

    Tensors have to agree in shape and type, dictionaries in their names, lists in their length,
    and everything else in its type; a number may be whole where it need not be.

    Raises:
        ValueError: if they do not agree.
    """
    if isinstance(own, Tensor):
        if not isinstance(read, Tensor) or (read.shape, read.dtype) != (own.shape, own.dtype):
            raise ValueError(f"{where} is another tensor")
        if read.is_floating_point() and not bool(torch.isfinite(read).all()):
            raise ValueError(f"{where} is not finite")
    elif isinstance(own, dict):
        if not isinstance(read, dict) or read.keys() != own.keys():
            raise ValueError(f"{where} has other names")
        for name, value in own.items():
            check_like(read[name], value, f"{where}.{name}")
    elif isinstance(own, list | tuple):
        if not isinstance(read, list | tuple) or len(read) != len(own):
            raise ValueError(f"{where} has another length")
        for index, value in enumerate(own):
            check_like(read[index], value, f"{where}.{index}")
    elif isinstance(own, float):
        if isinstance(read, bool) or not isinstance(read, int | float) or not abs(read) < 1e300:
            raise ValueError(f"{where} is no number")
    elif type(read) is not type(own):
        raise ValueError(f"{where} is {type(read).__name__}")


def check_all_tensors(values: dict[str, Any]) -> None:
    """Refuse what is no tensor.

    Raises:
        ValueError: if something is none.
    """
    for name, value in values.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{name} is no tensor")


def check_shapes(values: dict[str, Tensor], shapes: dict[str, tuple[int, ...]]) -> None:
    """Compare the shapes of tensors.

    Raises:
        ValueError: if one has another shape than there should be by its name.
    """
    for name, value in values.items():
        if tuple(value.shape) != shapes[name]:
            raise ValueError(f"{name} is {tuple(value.shape)}, not {shapes[name]}")


@contextmanager
def belonging(folder: Path, kind: str) -> Iterator[None]:
    """Turn what a folder of other facts or shapes leads to into a sentence.

    Raises:
        DataError: In place of what somebody made up leads to.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise DataError(
            f"What '{folder}' holds does not belong together; make the {kind} again."
        ) from error


def restore_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Let an optimiser go on, which takes any shapes without a word.

    Raises:
        ValueError: if the state is that of another optimiser or of other parameters.
    """
    own = optimiser.state_dict()
    check_like(state["param_groups"], own["param_groups"], "param_groups")
    sizes = {
        number: value.shape
        for group, saved in zip(optimiser.param_groups, own["param_groups"], strict=True)
        for value, number in zip(group["params"], saved["params"], strict=True)
    }
    for number, values in state["state"].items():
        for name, value in values.items():
            # Counts of steps are tensors of no dimension.
            is_strange = isinstance(value, Tensor) and value.dim() and value.shape != sizes[number]
            if is_strange or not isinstance(value, Tensor | int | float | None):
                raise ValueError(f"{name} of parameter {number}")
    optimiser.load_state_dict(state)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

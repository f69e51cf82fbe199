"""Which classes of a file somebody wants: by name, by number, by range of numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddcodec.errors import DataError
from ddcodec.format.printable import printable

Classes = str | Sequence[int | str]
"""Text such as `cat,17,0-9`, or a list of numbers and of such texts without commas."""

_NUMBERS = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_MOST_NAMED = 10


def chosen_classes(classes: Classes, class_names: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the numbers of some classes of a file, rising, each once, int64.

    Args:
        classes: names; numbers or ranges such as `0-9`, both ends included, where no class is
            called so.
        class_names: of the file.

    Raises:
        DataError: if there is no such class, or none is named.
    """
    parts = [part.strip() for part in classes.split(",")] if isinstance(classes, str) else classes
    # Of several classes with one name the first is meant.
    number_of = {name: number for number, name in reversed([*enumerate(class_names)])}
    chosen: set[int] = set()
    for part in parts:
        numbers = _numbers_of(part, number_of, len(class_names))
        if numbers is None:
            raise _unknown(part, class_names)
        chosen.update(numbers)
    if not chosen:
        raise DataError("No class is named; give names or numbers of classes.")
    return np.array(sorted(chosen), dtype=np.int64)


def _numbers_of(part: int | str, number_of: dict[str, int], count: int) -> range | None:
    """Return the classes that a part of a choice means; None where there are no such."""
    if isinstance(part, str) and part in number_of:
        return range(number_of[part], number_of[part] + 1)
    found = _NUMBERS.fullmatch(str(part))
    if found is None:
        return None
    first, last = int(found[1]), int(found[2] or found[1])
    return range(first, last + 1) if first <= last < count else None


def _unknown(part: int | str, class_names: tuple[str, ...]) -> DataError:
    count = len(class_names)
    known = ", ".join(printable(name) for name in class_names[:_MOST_NAMED])
    more = f", … ({count} in all, numbered from 0)" if count > _MOST_NAMED else ""
    return DataError(
        f"The file has no class '{printable(str(part))}'; its classes are {known}{more}."
    )

"""Which images of a file somebody wants: by number, by class, or both."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.decode import DecodedSymbols
from ddcodec.codec.labels.chosen_classes import Classes, chosen_classes
from ddcodec.errors import RecipeError

_PART = re.compile(r"(-?\d+)|(-?\d+)?:(-?\d+)?(?::(\d+))?")


def parse_images(text: str) -> tuple[slice | int, ...]:
    """Read numbers and ranges of images such as `0:50,60,-10:`, as Python writes them.

    Raises:
        RecipeError: if the text is anything else.
    """
    return tuple(_parse_part(part.strip(), text) for part in text.split(","))


def _parse_part(part: str, text: str) -> slice | int:
    match = _PART.fullmatch(part)
    if match is None or match[4] == "0":
        raise RecipeError(f"'{text}' does not select images; write numbers and ranges: 0:50,60.")
    if match[1] is not None:
        return int(match[1])
    start, stop, step = (None if match[i] is None else int(match[i]) for i in (2, 3, 4))
    return slice(start, stop, step)


def select_images(
    symbols: DecodedSymbols,
    images: Sequence[slice | int] | None = None,
    classes: Classes | None = None,
) -> NDArray[np.int64]:
    """Return the numbers of the images that both selections contain, rising.

    Args:
        symbols: the file.
        images: numbers and ranges of images of the file; None for all.
        classes: see `chosen_classes`; None for all.

    Raises:
        RecipeError: if a number does not exist, or no image is left.
        DataError: if a class does not exist.
    """
    count = len(symbols.labels)
    chosen = np.ones(count, dtype=np.bool_)
    if images is not None:
        chosen[:] = False
        for part in images:
            if isinstance(part, int) and not -count <= part < count:
                raise RecipeError(
                    f"There is no image {part}; the file holds {count}, numbered from 0."
                )
            chosen[part] = True
    if classes is not None:
        chosen &= np.isin(symbols.labels, chosen_classes(classes, symbols.class_names))
    if not chosen.any():
        raise RecipeError(
            f"No image is selected; the file holds {count}, sorted by class and numbered from 0."
        )
    return np.flatnonzero(chosen).astype(np.int64)

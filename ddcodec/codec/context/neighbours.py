"""Which already coded latents a context model sees: one table for training and for coding.

Every input of a latent is a latent of the same image that comes earlier in the file, found by its
position in the flat list of all planes; position 0 stands for what lies outside and is 0.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddcodec.format.planes import BAND_DIAGONAL, BAND_HORIZONTAL, BAND_LOW, BAND_VERTICAL, Plane

Indices = NDArray[np.int64]

OWN_LEVEL, COARSER_LEVEL, WAVELET_BANDS, PIXEL_COLOURS = 1, 2, 3, 4

CAUSAL_NEIGHBOURS: tuple[tuple[int, int], ...] = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-1, 2),
    (-2, -1), (-2, 1), (0, -3), (-3, 0), (-2, -2), (-2, 2), (-3, -1), (-3, 1),
    (-1, -3), (-2, -3), (-3, -2), (-3, 2), (0, -4), (-4, 0), (-1, -4), (-4, -1),
    (-4, 1), (-3, -3), (-2, -4), (-4, -2), (-4, 2), (-3, -4), (-4, -3), (-4, -4),
)  # fmt: skip
"""(row, column) offsets in the own plane, nearest first."""

WAVE_SLOPE = 3
"""Every neighbour (r, c) satisfies c + 3 r < 0, so positions of equal x + 3 y are independent."""

FURTHEST = 4
"""Rows and columns that the furthest neighbour is away."""

NUM_COARSER = 4

OWN, PARENT, PREVIOUS_COLOUR, FIRST_COLOUR, HORIZONTAL, VERTICAL = range(6)
"""Where an input of a wavelet latent lies: its own plane; the same band and colour one level up;
the same level and band of the previous or the first colour; another band of its level and colour.
"""

BAND_INPUTS: tuple[tuple[int, bool, int, int], ...] = (
    (OWN, True, 0, -1), (OWN, True, -1, 0), (PARENT, True, 0, 0), (PREVIOUS_COLOUR, True, 0, 0),
    (HORIZONTAL, True, 0, 0), (VERTICAL, True, 0, 0), (OWN, True, -1, -1), (OWN, True, -1, 1),
    (PREVIOUS_COLOUR, False, 0, 0), (OWN, False, 0, -1), (OWN, False, -1, 0), (PARENT, True, 1, 0),
    (PARENT, True, 0, 1), (OWN, True, 0, -2), (OWN, True, -2, 0), (PARENT, False, 0, 0),
    (PREVIOUS_COLOUR, True, 0, -1), (PREVIOUS_COLOUR, True, 0, 1), (PREVIOUS_COLOUR, True, -1, 0),
    (PREVIOUS_COLOUR, True, 1, 0), (FIRST_COLOUR, True, 0, 0), (FIRST_COLOUR, False, 0, 0),
    (OWN, True, -1, -2), (OWN, True, -1, 2), (OWN, True, -2, -1), (OWN, True, -2, 1),
    (HORIZONTAL, True, 0, 1), (HORIZONTAL, True, 1, 0), (VERTICAL, True, 0, 1),
    (VERTICAL, True, 1, 0), (OWN, True, 0, -3), (OWN, True, -3, 0),
)  # fmt: skip
"""(where, magnitude or signed, row, column) of the inputs of model 3, most telling first. Offsets
of a parent are steps to the side on which the latent lies in it."""

PIXEL_INPUTS: tuple[tuple[int, bool, int, int], ...] = (
    (OWN, False, 0, -1), (OWN, False, -1, 0), (OWN, False, -1, -1), (PREVIOUS_COLOUR, False, 0, 0),
    (PREVIOUS_COLOUR, False, 0, -1), (PREVIOUS_COLOUR, False, -1, 0), (FIRST_COLOUR, False, 0, 0),
    (FIRST_COLOUR, False, 0, -1), (OWN, False, -1, 1), (FIRST_COLOUR, False, -1, 0),
    (PREVIOUS_COLOUR, False, -1, -1), (OWN, False, 0, -2), (OWN, False, -2, 0),
    (FIRST_COLOUR, False, -1, -1), (PREVIOUS_COLOUR, False, 0, 1), (PREVIOUS_COLOUR, False, 1, 0),
    (FIRST_COLOUR, False, 0, 1), (FIRST_COLOUR, False, 1, 0), (PREVIOUS_COLOUR, False, -1, 1),
    (OWN, False, -2, -1), (OWN, False, -1, -2), (OWN, False, -1, 2), (OWN, False, -2, 1),
    (FIRST_COLOUR, False, -1, 1), (PREVIOUS_COLOUR, False, 1, 1), (PREVIOUS_COLOUR, False, 1, -1),
    (OWN, False, 0, -3), (OWN, False, -3, 0), (OWN, False, -2, -2), (OWN, False, -2, 2),
    (FIRST_COLOUR, False, 1, 1), (FIRST_COLOUR, False, 1, -1),
)  # fmt: skip
"""The same for model 4: pixels, whose sign is a matter of brightness, enter as they are."""

_INPUTS = {WAVELET_BANDS: BAND_INPUTS, PIXEL_COLOURS: PIXEL_INPUTS}


@dataclass(frozen=True)
class Neighbours:
    """The inputs of some latents.

    Attributes:
        index: width × positions, 1 + position in the flat list of all planes; 0 is outside.
        magnitude: width, whether an input enters without its sign.
        plane: positions, the plane of each.
    """

    index: Indices
    magnitude: NDArray[np.bool_]
    plane: Indices


def plane_starts(planes: tuple[Plane, ...]) -> list[int]:
    """Return 1 + the position of the first latent of every plane in the flat list."""
    sizes = [plane.size for plane in planes]
    return [1 + sum(sizes[:index]) for index in range(len(planes))]


@lru_cache(maxsize=16)
def all_neighbours(context_id: int, width: int, planes: tuple[Plane, ...]) -> Neighbours:
    """Return the inputs of all latents of an image, row by row, finest plane first."""
    parts = []
    for number, plane in enumerate(planes):
        y, x = np.divmod(np.arange(plane.size, dtype=np.int64), max(plane.columns, 1))
        parts.append(neighbours_at(context_id, width, planes, number, y, x))
    return Neighbours(
        np.concatenate([part.index for part in parts], axis=1),
        parts[0].magnitude,
        np.concatenate([part.plane for part in parts]),
    )


def neighbours_at(
    context_id: int, width: int, planes: tuple[Plane, ...], number: int, y: Indices, x: Indices
) -> Neighbours:
    """Return the inputs of the latents of plane `number` at rows `y` and columns `x`."""
    starts = plane_starts(planes)
    magnitude = np.zeros(width, dtype=np.bool_)
    if context_id in _INPUTS:
        table = _INPUTS[context_id][:width]
        inputs = _band_inputs(table, planes, starts, number, y, x)
        magnitude[:] = [signless for _, signless, _, _ in table]
    else:
        inputs = _level_inputs(context_id, width, planes, starts, number, y, x)
    return Neighbours(np.stack(inputs), magnitude, np.full(len(y), number, dtype=np.int64))


def _level_inputs(
    context_id: int,
    width: int,
    planes: tuple[Plane, ...],
    starts: list[int],
    number: int,
    y: Indices,
    x: Indices,
) -> list[Indices]:
    num_coarser = NUM_COARSER if context_id == COARSER_LEVEL else 0
    own = _Map(planes[number], starts[number], y, x)
    inputs = [own.at(dy, dx) for dy, dx in CAUSAL_NEIGHBOURS[: width - num_coarser]]
    if num_coarser and number + 1 < len(planes):
        coarser = _Map(planes[number + 1], starts[number + 1], y // 2, x // 2)
        inputs += [coarser.at(dy, dx) for dy in (0, own_side(y)) for dx in (0, own_side(x))]
    return inputs + [np.zeros_like(y)] * (width - len(inputs))


def own_side(position: Indices) -> Indices:
    """Return the step from a parent to the parent's neighbour on the child's own side."""
    return np.where(position % 2, 1, -1)


def _band_inputs(
    table: tuple[tuple[int, bool, int, int], ...],
    planes: tuple[Plane, ...],
    starts: list[int],
    number: int,
    y: Indices,
    x: Indices,
) -> list[Indices]:
    own = planes[number]
    numbers = {(plane.level, plane.colour, plane.band): i for i, plane in enumerate(planes)}
    keys = {
        OWN: (own.level, own.colour, own.band),
        PARENT: (own.level + 1, own.colour, own.band),
        PREVIOUS_COLOUR: (own.level, own.colour - 1, own.band),
    }
    if own.colour == 2:
        keys[FIRST_COLOUR] = (own.level, 0, own.band)
    if own.band in (BAND_VERTICAL, BAND_DIAGONAL):
        keys[HORIZONTAL] = (own.level, own.colour, BAND_HORIZONTAL)
    if own.band == BAND_DIAGONAL:
        keys[VERTICAL] = (own.level, own.colour, BAND_VERTICAL)
    if own.band == BAND_LOW:
        del keys[PARENT]
    maps = {}
    for where, key in keys.items():
        if key in numbers:
            target = numbers[key]
            place = (y // 2, x // 2) if where == PARENT else (y, x)
            maps[where] = _Map(planes[target], starts[target], *place)
    inputs = []
    for where, _, dy, dx in table:
        if where not in maps:
            inputs.append(np.zeros_like(y))
        elif where == PARENT:
            inputs.append(maps[where].at(dy * own_side(y), dx * own_side(x)))
        else:
            inputs.append(maps[where].at(dy, dx))
    return inputs


class _Map:
    """Numbers of the latents of a plane around some of its places, 0 outside.

    Args:
        plane: the plane.
        start: number of its first latent.
        y, x: rows and columns, at most one beyond its own.
    """

    def __init__(self, plane: Plane, start: int, y: Indices, x: Indices) -> None:
        self._line = plane.columns + 2 * FURTHEST
        numbers = np.zeros((plane.rows + 2 * FURTHEST, self._line), dtype=np.int64)
        inner = numbers[FURTHEST : FURTHEST + plane.rows, FURTHEST : FURTHEST + plane.columns]
        inner[...] = np.arange(start, start + plane.size).reshape(plane.rows, plane.columns)
        self._numbers = numbers.reshape(-1)
        self._places = (y + FURTHEST) * self._line + x + FURTHEST

    def at(self, dy: Indices | int, dx: Indices | int) -> Indices:
        """Return the numbers at an offset from every place."""
        return self._numbers.take(self._places + (dy * self._line + dx))

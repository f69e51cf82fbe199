"""Exact layers over many pixels: a few columns at a time, and the 3×3 surroundings of each."""

from collections.abc import Callable

import numpy as np

from ddcodec.entropy.exact import Floats

CHUNK_MACS = 1 << 18
"""Multiply-adds of one matrix product: its result stays in cache and is not worth a second thread,
whose start costs more than it gains. The result does not depend on it."""


def in_columns(layer: Callable[[Floats], Floats], inputs: Floats, macs_per_column: int) -> Floats:
    """Apply a layer to a few columns at a time."""
    step = max(64, CHUNK_MACS // macs_per_column)
    parts = [layer(inputs[:, at : at + step]) for at in range(0, inputs.shape[1], step)]
    return np.concatenate(parts, axis=1)


def neighbourhoods(values: Floats) -> Floats:
    """Return the 3×3 surroundings of every pixel, zeros outside: (9 · C) × pixels."""
    channels, _, rows, columns = values.shape
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1), (1, 1)))
    parts = [padded[:, :, dy : dy + rows, dx : dx + columns] for dy in range(3) for dx in range(3)]
    return np.stack(parts).reshape(9 * channels, -1)

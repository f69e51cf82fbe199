"""Latent grids in coding order: level by level, coarse to fine, wave by wave, all images at once.

Positions of equal x + 3 y do not depend on each other, so a wave of them is predicted and coded
together: a level of h × w takes w + 3 (h − 1) steps instead of h · w, however few the images.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.context import (
    CONTEXT_MARGIN,
    NUM_COARSER,
    WAVE_SLOPE,
    ContextModel,
    ExactContext,
    coarser_indices,
)
from ddcodec.entropy.exact import FRACTION_BITS, Floats
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.entropy.range_coder import Coder

Plane = NDArray[np.int16]

CHUNK_COLUMNS = 1024
"""Latents whose context network runs at once; the stream does not depend on it."""


@lru_cache(maxsize=32)
def wave_positions(rows: int, columns: int) -> tuple[NDArray[np.int64], ...]:
    """Return per wave the positions (k × 2: y, x) in order of rising y."""
    y, x = np.divmod(np.arange(rows * columns, dtype=np.int64), columns)
    wave = x + WAVE_SLOPE * y
    order = np.argsort(wave, kind="stable")
    starts = np.flatnonzero(np.diff(wave[order])) + 1
    return tuple(np.split(np.stack([y, x], axis=1)[order], starts))


class LevelCoder:
    """Code one level of one network set.

    Args:
        context: architecture, for the neighbours.
        network: the integer context network.
        model: the entropy model.
        level: index of the level, 0 the finest.
        shape: rows and columns of the level.
        coarser: padded plane of the next coarser level, or None at the coarsest.
        num_images: images coded together.
    """

    def __init__(
        self,
        context: ContextModel,
        network: ExactContext,
        model: LaplaceModel,
        level: int,
        shape: tuple[int, int],
        num_images: int,
        coarser: Plane | None,
    ) -> None:
        self._network = network
        self._model = model
        self._level = level
        self._shape = shape
        self._num_images = num_images
        self._coarser = None
        self._coarser_columns = 0
        rows, columns = shape
        self._stride = columns + 2 * CONTEXT_MARGIN
        self._offsets = np.array([dy * self._stride + dx for dy, dx in context.neighbours])
        self._width = context.width
        if context.sees_coarser and coarser is not None:
            self._coarser = coarser.reshape(-1, num_images)
            self._coarser_columns = coarser.shape[1]
            self._parents = coarser_indices(rows, columns)

    def code(self, coder: Coder, latents: Plane | None) -> Plane:
        """Code a level; returns the padded plane, (h + 8) × (w + 8) × N, int16.

        Args:
            coder: encoder or decoder.
            latents: N × h × w, int16, when encoding; else None.
        """
        rows, columns = self._shape
        margin = CONTEXT_MARGIN
        plane: Plane = np.zeros((rows + 2 * margin, self._stride, self._num_images), dtype=np.int16)
        flat = plane.reshape(-1, self._num_images)
        source = None
        if latents is not None:
            source = np.ascontiguousarray(latents.transpose(1, 2, 0))
        for wave in wave_positions(rows, columns):
            y, x = wave[:, 0], wave[:, 1]
            targets = (y + margin) * self._stride + x + margin
            loc, scale = self._predict(flat, targets, y, x)
            values = None if source is None else source[y, x].reshape(-1).astype(np.int64)
            coded = self._model.code(coder, values, loc, scale)
            flat[targets] = coded.reshape(len(wave), self._num_images)
        return plane

    def _predict(
        self,
        flat: Plane,
        targets: NDArray[np.int64],
        y: NDArray[np.int64],
        x: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        per_chunk = max(1, CHUNK_COLUMNS // self._num_images)
        locs, scales = [], []
        for start in range(0, len(targets), per_chunk):
            part = slice(start, start + per_chunk)
            inputs = self._inputs(flat, targets[part], y[part], x[part])
            # A single position may still hold many images: split its columns too.
            for first in range(0, inputs.shape[1], CHUNK_COLUMNS):
                columns = inputs[:, first : first + CHUNK_COLUMNS].astype(np.float64)
                columns *= 1 << FRACTION_BITS
                loc, scale = self._network.predict(columns, self._level)
                locs.append(loc)
                scales.append(scale)
        return np.concatenate(locs), np.concatenate(scales)

    def _inputs(
        self,
        flat: Plane,
        targets: NDArray[np.int64],
        y: NDArray[np.int64],
        x: NDArray[np.int64],
    ) -> Plane:
        """Gather the inputs of some positions: width × (positions · N), int16."""
        count = len(targets) * self._num_images
        inputs = np.zeros((self._width, count), dtype=np.int16)
        own = flat.take(targets + self._offsets[:, None], axis=0)
        inputs[: len(self._offsets)] = own.reshape(len(self._offsets), count)
        if self._coarser is not None:
            rows, columns = self._parents
            indices = [
                (row[y] + CONTEXT_MARGIN) * self._coarser_columns + column[x] + CONTEXT_MARGIN
                for row in rows
                for column in columns
            ]
            parents = self._coarser.take(np.array(indices), axis=0)
            inputs[-NUM_COARSER:] = parents.reshape(NUM_COARSER, count)
        return inputs


def crop_plane(plane: Plane) -> Plane:
    """Remove the margin and put images first: N × h × w, int16."""
    margin = CONTEXT_MARGIN
    return plane[margin:-margin, margin:-margin].transpose(2, 0, 1)


def as_activations(plane: Plane) -> Floats:
    """Return symbols as activations in units of 2^−12, float64."""
    return plane.astype(np.float64) * (1 << FRACTION_BITS)

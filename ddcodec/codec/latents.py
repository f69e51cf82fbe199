"""Latent planes in coding order: plane by plane, coarse to fine, wave by wave, all images at once.

Positions of equal x + 3 y do not depend on each other, so a wave of them is predicted and coded
together: a plane of h × w takes w + 3 (h − 1) steps instead of h · w, however few the images.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.context.context import ContextModel, ExactContext
from ddcodec.codec.context.neighbours import WAVE_SLOPE, neighbours_at, plane_starts
from ddcodec.entropy.exact import FRACTION_BITS
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.entropy.range_coder import Coder

PlaneArray = NDArray[np.int16]

CHUNK_COLUMNS = 1024
"""Latents whose context network runs at once; the stream does not depend on it."""


@lru_cache(maxsize=64)
def wave_positions(rows: int, columns: int) -> tuple[NDArray[np.int16], ...]:
    """Return per wave the positions (k × 2: y, x) in order of rising y."""
    if rows * columns == 0:
        return ()
    y, x = np.divmod(np.arange(rows * columns, dtype=np.int64), columns)
    wave = x + WAVE_SLOPE * y
    order = np.argsort(wave, kind="stable")
    starts = np.flatnonzero(np.diff(wave[order])) + 1
    # Two bytes each: what is kept for the next file is that of all sizes that files had.
    return tuple(np.split(np.stack([y, x], axis=1)[order].astype(np.int16), starts))


class LatentCoder:
    """Code the planes of one network set one after another, the coarsest first.

    Args:
        context: architecture, for the neighbours.
        network: the integer context network.
        model: the entropy model.
        num_images: images coded together.
    """

    def __init__(
        self, context: ContextModel, network: ExactContext, model: LaplaceModel, num_images: int
    ) -> None:
        self._context = context
        self._network = network
        self._model = model
        self._num_images = num_images
        self._starts = plane_starts(context.planes)
        total = sum(plane.size for plane in context.planes)
        # Row 0 stands for everything outside a plane; the other rows fill up plane by plane.
        self._known: PlaneArray = np.zeros((1 + total, num_images), dtype=np.int16)

    def code(self, coder: Coder, number: int, latents: PlaneArray | None) -> PlaneArray:
        """Code plane `number`, all coarser ones being known.

        Args:
            coder: encoder or decoder.
            number: of the plane, counted from the finest.
            latents: N × h × w, int16, when encoding; else None.

        Returns:
            The plane as written or read, N × h × w, int16.
        """
        plane, start = self._context.planes[number], self._starts[number]
        rows = self._known[start : start + plane.size]
        waves = wave_positions(plane.rows, plane.columns)
        y, x = np.concatenate(waves or [np.zeros((0, 2))]).T.astype(np.int64)
        source = None
        if latents is not None:
            flat = latents.reshape(self._num_images, plane.size)
            source = np.ascontiguousarray(flat.T)
        seen = neighbours_at(
            self._context.context_id, self._context.width, self._context.planes, number, y, x
        )
        index, targets = seen.index, y * plane.columns + x
        first = 0
        for wave in waves:
            part = slice(first, first + len(wave))
            loc, scale = self._predict(index[:, part], seen.magnitude, number)
            chosen = targets[part]
            values = None if source is None else source[chosen].reshape(-1).astype(np.int64)
            coded = self._model.code(coder, values, loc, scale)
            rows[chosen] = coded.reshape(len(wave), self._num_images)
            first += len(wave)
        return np.ascontiguousarray(rows.T).reshape(self._num_images, plane.rows, plane.columns)

    def look_at(self, number: int, latents: PlaneArray) -> NDArray[np.int64]:
        """Take in plane `number`, all coarser ones being known, without coding it.

        Args:
            number: of the plane, counted from the finest.
            latents: N × h × w, int16.

        Returns:
            The scale indices that it is coded with, N × h × w.
        """
        plane, start = self._context.planes[number], self._starts[number]
        self._known[start : start + plane.size] = latents.reshape(self._num_images, plane.size).T
        if not plane.size:
            return np.zeros(latents.shape, dtype=np.int64)
        y, x = np.divmod(np.arange(plane.size, dtype=np.int64), plane.columns)
        seen = neighbours_at(
            self._context.context_id, self._context.width, self._context.planes, number, y, x
        )
        _, scale = self._predict(seen.index, seen.magnitude, number)
        return np.ascontiguousarray(scale.reshape(plane.size, -1).T).reshape(latents.shape)

    def _predict(
        self, index: NDArray[np.int64], magnitude: NDArray[np.bool_], number: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return locations and scales of some positions, position by position, image by image."""
        per_chunk = max(1, CHUNK_COLUMNS // self._num_images)
        locs, scales = [], []
        for start in range(0, index.shape[1], per_chunk):
            part = index[:, start : start + per_chunk]
            inputs = self._known.take(part, axis=0).reshape(len(part), -1)
            # A single position may still hold many images: split its columns too.
            for first in range(0, inputs.shape[1], CHUNK_COLUMNS):
                columns = inputs[:, first : first + CHUNK_COLUMNS].astype(np.float64)
                columns *= 1 << FRACTION_BITS
                columns[magnitude] = np.abs(columns[magnitude])
                loc, scale = self._network.predict(columns, number)
                locs.append(loc)
                scales.append(scale)
        return np.concatenate(locs), np.concatenate(scales)

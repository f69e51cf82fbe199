"""Latent planes in coding order: plane by plane, coarse to fine, wave by wave, all images at once.

Positions of equal x + 3 y do not depend on each other, so a wave of them is predicted and coded
together: a plane of h × w takes w + 3 (h − 1) steps instead of h · w, however few the images.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.context.exact import ExactContext
from ddcodec.codec.context.neighbours import WAVE_SLOPE, Indices
from ddcodec.codec.context.prediction import Predictor
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.entropy.range_coder import Coder

PlaneArray = NDArray[np.int16]

CHUNK_COLUMNS = 1024
"""Latents whose context network runs at once; the stream does not depend on it."""

WRITTEN_SYMBOLS = 1 << 18
"""Latents predicted at once when all are known, unless a wave has more; the stream does not depend
on it."""


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
        self._predictor = Predictor(context, network, num_images, CHUNK_COLUMNS)
        self._model = model
        self._num_images = num_images

    def code(self, coder: Coder, number: int, latents: PlaneArray | None) -> PlaneArray:
        """Code plane `number`, all coarser ones being known.

        Args:
            coder: encoder or decoder.
            number: of the plane, counted from the finest.
            latents: N × h × w, int16, when encoding; else None.

        Returns:
            The plane as written or read, N × h × w, int16.
        """
        plane = self._context.planes[number]
        waves = wave_positions(plane.rows, plane.columns)
        if not waves:
            return np.zeros((self._num_images, plane.rows, plane.columns), dtype=np.int16)
        y, x = np.concatenate(waves).T.astype(np.int64)
        ends = np.cumsum([len(wave) for wave in waves])
        inputs, rows = (
            self._predictor.inputs_of(number, y, x),
            self._predictor.rows_of(number, y, x),
        )
        if latents is None:
            self._read(coder, number, inputs, rows, ends)
        else:
            self._predictor.learn_plane(number, latents)
            self._write(coder, number, inputs, rows, ends)
        return self._predictor.plane(number)

    def _read(
        self, coder: Coder, number: int, inputs: Indices, rows: Indices, ends: Indices
    ) -> None:
        first = 0
        for end in ends.tolist():
            loc, scale = self._predictor.predict(number, inputs[:, first:end])
            symbols = self._model.code(coder, None, loc, scale)
            self._predictor.learn(rows[first:end], symbols.reshape(end - first, self._num_images))
            first = end

    def _write(
        self, coder: Coder, number: int, inputs: Indices, rows: Indices, ends: Indices
    ) -> None:
        """Code what is known: as wave by wave, but predicted many waves at a time."""
        first = 0
        for end in _grouped(ends, WRITTEN_SYMBOLS // self._num_images):
            loc, scale = self._predictor.predict(number, inputs[:, first:end])
            symbols = self._predictor.known(rows[first:end]).reshape(-1).astype(np.int64)
            # Calls one after another are one call as long as none but the last has escapes.
            stops = (ends[(ends > first) & (ends <= end)] - first) * self._num_images
            escapes = np.flatnonzero(self._model.escapes(symbols, loc))
            calls = np.union1d(stops[np.searchsorted(stops, escapes, side="right")], stops[-1:])
            start = 0
            for stop in calls.tolist():
                call = slice(start, stop)
                self._model.code(coder, symbols[call], loc[call], scale[call])
                start = stop
            first = end

    def look_at(self, number: int, latents: PlaneArray) -> NDArray[np.int64]:
        """Take in plane `number`, all coarser ones being known, without coding it.

        Args:
            number: of the plane, counted from the finest.
            latents: N × h × w, int16.

        Returns:
            The scale indices that it is coded with, N × h × w.
        """
        plane = self._context.planes[number]
        if not plane.size:
            return np.zeros(latents.shape, dtype=np.int64)
        self._predictor.learn_plane(number, latents)
        y, x = np.divmod(np.arange(plane.size, dtype=np.int64), plane.columns)
        _, scale = self._predictor.predict(number, self._predictor.inputs_of(number, y, x))
        return np.ascontiguousarray(scale.reshape(plane.size, -1).T).reshape(latents.shape)


def _grouped(ends: Indices, most: int) -> list[int]:
    """Return the ends of groups of waves with at most so many positions, unless one has more."""
    groups, first, before = [], 0, 0
    for end in ends.tolist():
        if end - first > most and before > first:
            groups.append(before)
            first = before
        before = end
    return [*groups, before]

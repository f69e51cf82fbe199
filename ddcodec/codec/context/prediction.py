"""Predictions of latents from what is known so far, for many positions and all images at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.context.exact import ExactContext, Symbols
from ddcodec.codec.context.neighbours import Indices, neighbours_at, plane_starts
from ddcodec.entropy.rooms import Rooms

GATHERED_COLUMNS = 1 << 14
"""Latents whose inputs are gathered at once, unless a position has more images; no prediction
depends on it."""

CROWDED = 0.75
"""Share of latents with any input but 0 from which on all go through the network; likewise."""

Predictions = NDArray[np.int64]
"""Locations in 1/16 and scale indices, 2 × n."""


class Predictor:
    """The latents of all images that are known, and predictions of further ones.

    Args:
        context: architecture, for the neighbours.
        network: the integer context network.
        num_images: images coded together.
        chunk: latents that go through the network at once; no prediction depends on it.
    """

    def __init__(
        self, context: ContextModel, network: ExactContext, num_images: int, chunk: int
    ) -> None:
        self._context = context
        self._network = network
        self._num_images = num_images
        self._starts = plane_starts(context.planes)
        total = sum(plane.size for plane in context.planes)
        # Row 0 stands for everything outside a plane; the other rows fill up plane by plane.
        self._known: NDArray[np.int16] = np.zeros((1 + total, num_images), dtype=np.int16)
        self._largest = 0
        self._rest: dict[int, Predictions] = {}
        self._signless: list[slice] = []
        self._chunk = chunk
        self._rooms = Rooms()

    def rows_of(self, number: int, y: Indices, x: Indices) -> Indices:
        """Return the rows of latents of a plane at some of its rows and columns."""
        return self._starts[number] + y * self._context.planes[number].columns + x

    def known(self, rows: Indices) -> NDArray[np.int16]:
        """Return known latents, positions × images."""
        return self._known.take(rows, axis=0)

    def learn(self, rows: Indices, symbols: Symbols) -> None:
        """Take in latents, positions × images."""
        self._known[rows] = symbols
        self._note(symbols)

    def learn_plane(self, number: int, symbols: NDArray[np.int16]) -> None:
        """Take in all latents of a plane, N × h × w."""
        start, plane = self._starts[number], self._context.planes[number]
        self._known[start : start + plane.size] = symbols.reshape(self._num_images, -1).T
        self._note(symbols)

    def plane(self, number: int) -> NDArray[np.int16]:
        """Return all latents of a plane, N × h × w."""
        start, plane = self._starts[number], self._context.planes[number]
        known = np.ascontiguousarray(self._known[start : start + plane.size].T)
        return known.reshape(self._num_images, plane.rows, plane.columns)

    def _note(self, symbols: Symbols) -> None:
        if symbols.size:
            self._largest = max(self._largest, int(symbols.max()), -int(symbols.min()))

    def inputs_of(self, number: int, y: Indices, x: Indices) -> Indices:
        """Return the rows of all inputs of latents of a plane, width × positions."""
        context = self._context
        seen = neighbours_at(context.context_id, context.width, context.planes, number, y, x)
        self._signless = _runs(seen.magnitude)
        return seen.index

    def predict(self, number: int, inputs: Indices) -> Predictions:
        """Predict latents of a plane, position by position, image by image.

        Args:
            number: of the plane.
            inputs: some columns of `inputs_of`, all known.

        Returns:
            Locations in 1/16 and scale indices, int64, 2 × n.
        """
        predictions = np.empty((2, inputs.shape[1] * self._num_images), dtype=np.int64)
        step = max(1, GATHERED_COLUMNS // self._num_images)
        for start in range(0, inputs.shape[1], step):
            symbols = self._known.take(inputs[:, start : start + step], axis=0)
            symbols = symbols.reshape(len(inputs), -1)
            first = start * self._num_images
            self._predict(number, symbols, predictions[:, first : first + symbols.shape[1]])
        return predictions

    def _predict(self, number: int, symbols: Symbols, predictions: Predictions) -> None:
        """Fill in the predictions for inputs, width × n, which are written over."""
        if self._largest >= 1 << 15:
            # The one number of 16 bits whose magnitude has more.
            symbols = symbols.astype(np.int32)
        (live,) = np.nonzero(np.bitwise_or.reduce(symbols, axis=0))
        if len(live) > CROWDED * symbols.shape[1]:
            self._run(number, symbols, predictions)
            return
        # Most details are 0 where an image is smooth, and so is all that they are predicted from.
        predictions[:] = self._at_rest(number)
        if len(live):
            some = np.empty((2, len(live)), dtype=np.int64)
            self._run(number, symbols.take(live, axis=1), some)
            predictions[:, live] = some

    def _at_rest(self, number: int) -> Predictions:
        """Return what is predicted where all inputs are 0."""
        if number not in self._rest:
            zeros = np.zeros((self._context.width, 1), dtype=np.int16)
            self._rest[number] = self._network.predict(zeros, 0, number, self._rooms, self._chunk)
        return self._rest[number]

    def _run(self, number: int, symbols: Symbols, predictions: Predictions) -> None:
        for run in self._signless:
            np.absolute(symbols[run], out=symbols[run])
        for start in range(0, symbols.shape[1], self._chunk):
            part = slice(start, start + self._chunk)
            predictions[:, part] = self._network.predict(
                symbols[:, part], self._largest, number, self._rooms, self._chunk
            )


def _runs(chosen: NDArray[np.bool_]) -> list[slice]:
    """Return the runs of elements that are chosen."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]

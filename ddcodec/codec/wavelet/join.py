"""Putting the halves of lines together in integers: banded matrices, a few large products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.codec.wavelet.shape import NUM_HIGH_TAPS, synthesis_basis
from ddcodec.entropy.exact import Floats

REACH = NUM_HIGH_TAPS - 1
"""How far a sample sees to either side."""

BLOCK = 16
"""Samples that are made by one matrix, which is not much wider than that."""


@dataclass(frozen=True)
class _Band:
    """Equal blocks of a matrix, each further down and to the right than the one before.

    Attributes:
        matrix: samples × coefficients.
        first: the first sample.
        source: its first coefficient.
        count: how many blocks.
        step: coefficients from one block to the next.
    """

    matrix: Floats
    first: int
    source: int
    count: int
    step: int


class Join:
    """Makes lines from coefficients that lie in turns, low and high, or from the low ones alone.

    Args:
        taps: quantised kernels.
        size: of a line, 2 or more.
        only_low: whether all high coefficients are 0 and left out.
    """

    def __init__(self, taps: QuantizedTensor, size: int, only_low: bool = False) -> None:
        self.size = size
        matrix = _interleaved(taps, size)
        self.growth = float(np.abs(matrix).sum(axis=1).max())
        self._bands = _bands(matrix[:, ::2] if only_low else matrix, 2 if only_low else 1)

    def columns(self, source: Floats, target: Floats) -> None:
        """Join along the first axis; not rounded.

        Args:
            source: coefficients × n, contiguous.
            target: samples × n, contiguous; written.
        """
        count, item = source.shape[1], source.itemsize
        for band in self._bands:
            rows, inputs = band.matrix.shape
            strides = (band.step * count * item, count * item, item)
            seen = _view(source, band.source * count, (band.count, inputs, count), strides)
            strides = (rows * count * item, count * item, item)
            made = _view(target, band.first * count, (band.count, rows, count), strides)
            np.matmul(band.matrix, seen, out=made)

    def rows(self, source: Floats, target: Floats) -> None:
        """Join along the last axis; not rounded.

        Args:
            source: n × coefficients, contiguous.
            target: n × samples or more, of which the last are left alone, contiguous; written.
        """
        (count, width), item = source.shape, source.itemsize
        line = target.shape[1]
        for band in self._bands:
            columns, inputs = band.matrix.shape
            strides = (band.step * item, width * item, item)
            seen = _view(source, band.source, (band.count, count, inputs), strides)
            strides = (columns * item, line * item, item)
            made = _view(target, band.first, (band.count, count, columns), strides)
            np.matmul(seen, band.matrix.T, out=made)


def _view(values: Floats, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Floats:
    return np.ndarray(shape, values.dtype, values, offset * values.itemsize, strides)


def _interleaved(taps: QuantizedTensor, size: int) -> Floats:
    """Return the matrix of a line whose low and high coefficients lie in turns, in whole units."""
    basis = synthesis_basis(size)
    matrix = np.einsum("k,krc->rc", taps.integers.astype(np.float64), basis)
    matrix *= 2.0**-taps.step_exponent
    low = (size + 1) // 2
    interleaved = np.empty((size, size))
    interleaved[:, ::2], interleaved[:, 1::2] = matrix[:, :low], matrix[:, low:]
    return interleaved


def _bands(matrix: Floats, thinning: int) -> list[_Band]:
    """Cut a matrix into blocks that hold all that is not 0.

    Away from the ends of a line all blocks are the same.
    """
    size = len(matrix)
    repeats = max(0, (size - BLOCK - REACH) // BLOCK)
    edges = [0, BLOCK, BLOCK * (repeats + 1), size] if size > BLOCK + REACH else [0, size]
    bands = []
    for number, (first, stop) in enumerate(zip(edges, edges[1:], strict=False)):
        inner = number == 1 and len(edges) == 4
        if first == stop:
            continue
        count = repeats if inner else 1
        last = first + BLOCK if inner else stop
        source = max(0, first - REACH) // thinning
        until = -(-min(size, last + REACH) // thinning)
        block = np.ascontiguousarray(matrix[first:last, source:until])
        bands.append(_Band(block, first, source, count, BLOCK // thinning))
    return bands

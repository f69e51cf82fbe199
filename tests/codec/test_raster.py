"""Images on one line: surroundings and what is spread to them, against plain loops."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sample_content import IntegerSource

from ddcodec.codec.raster import Raster

SHAPES = [(1, 1, 1), (3, 2, 4), (5, 1, 1), (1, 3, 7)]


def _padded(raster: Raster, images: NDArray[np.int64]) -> NDArray[np.float64]:
    """Put images, C × rows × images × columns, on the line."""
    padded = np.zeros((len(images), raster.padded))
    line = np.zeros((*images.shape[:3], raster.line))
    line[..., :-1] = images
    raster.inside(padded)[...] = line.reshape(len(images), -1)
    return padded


def _neighbour(images: NDArray[np.int64], dy: int, dx: int) -> NDArray[np.int64]:
    """Return what lies at an offset from every pixel, 0 outside."""
    _, rows, _, columns = images.shape
    padded = np.pad(images, ((0, 0), (1, 1), (0, 0), (1, 1)))
    return padded[:, 1 + dy : 1 + dy + rows, :, 1 + dx : 1 + dx + columns]


@pytest.mark.parametrize("shape", SHAPES)
def test_surroundings(shape: tuple[int, int, int]) -> None:
    """Every pixel sees its neighbours in its own image and zeros outside."""
    raster = Raster(*shape)
    images = IntegerSource(1).uniform(-99, 99, 2, *shape)
    seen = raster.surroundings(_padded(raster, images), 0, raster.length)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            pixels = seen[dy + 1, dx + 1].reshape(2, shape[0], shape[1], raster.line)[..., :-1]
            assert np.array_equal(pixels, _neighbour(images, dy, dx))


@pytest.mark.parametrize("shape", SHAPES)
def test_spread_is_the_reverse_of_surroundings(shape: tuple[int, int, int]) -> None:
    """What a pixel has for a neighbour arrives there, whatever the parts, and not elsewhere."""
    raster = Raster(*shape)
    images = IntegerSource(2).uniform(-99, 99, 9, *shape)
    sums = np.ascontiguousarray(raster.inside(_padded(raster, images)))
    values = np.zeros((1, raster.padded))
    for start in range(0, raster.length, 2 * raster.line):
        raster.spread(sums[:, start : start + 2 * raster.line], values, start)
    expected = np.zeros((1, *shape), dtype=np.int64)
    for number, (dy, dx) in enumerate((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)):
        expected += _neighbour(images[number : number + 1], dy, dx)
    inside = raster.inside(values).reshape(1, shape[0], shape[1], raster.line)
    assert np.array_equal(inside[..., :-1], expected)

"""The refinement in floats that carry integers, against int64, at the extremes of both."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sample_content import IntegerSource

from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.codec.raster import Raster
from ddcodec.codec.wavelet import refinement
from ddcodec.codec.wavelet.refinement import ExactRefinement
from ddcodec.entropy.rooms import Rooms

Integers = NDArray[np.int64]
ROWS, IMAGES, COLUMNS = 5, 2, 4


def _tensors(widths: tuple[int, ...], bits: int) -> dict[str, QuantizedTensor]:
    source, sizes = IntegerSource(bits), (3, *widths, 3)
    tensors = {}
    for layer, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
        kernel = (3, 3) if layer in (0, len(widths)) else ()
        weight = source.uniform(-(1 << bits), 1 << bits, outputs, inputs, *kernel)
        tensors[f"synthesis.{layer}.weight"] = QuantizedTensor(weight, 7)
        tensors[f"synthesis.{layer}.bias"] = QuantizedTensor(source.uniform(-9, 9, outputs), 8)
    return tensors


def _convolved(values: Integers, weight: Integers) -> Integers:
    """Sum over surroundings, or over channels alone; C × rows × images × columns."""
    if weight.ndim == 2:
        return np.einsum("oc,cyix->oyix", weight, values)
    padded = np.pad(values, ((0, 0), (1, 1), (0, 0), (1, 1)))
    return sum(
        np.einsum(
            "oc,cyix->oyix",
            weight[:, :, dy, dx],
            padded[:, dy : dy + values.shape[1], :, dx : dx + values.shape[3]],
        )
        for dy in range(3)
        for dx in range(3)
    )


def _refined(images: Integers, tensors: dict[str, QuantizedTensor], last: int) -> Integers:
    """Refine as docs/format.md says, in int64."""
    hidden = np.maximum(images - 2048, -(1 << 27))
    for layer in range(last + 1):
        weight, bias = tensors[f"synthesis.{layer}.weight"], tensors[f"synthesis.{layer}.bias"]
        exponent = weight.step_exponent
        sums = _convolved(hidden, weight.integers)
        sums += (bias.integers << 12 + exponent - bias.step_exponent)[:, None, None, None]
        if layer < last:
            hidden = np.clip(sums >> exponent, 0, (1 << 27) - 1)
    sums += images << exponent
    return np.clip(sums >> exponent + 4, 0, 255)


@pytest.mark.parametrize("widths", [(5,), (4, 6)])
@pytest.mark.parametrize("bits", [1, 5, 9, 16])
@pytest.mark.parametrize("largest", [4096, 1 << 17, (1 << 27) - 1])
@pytest.mark.parametrize("chunk", [1, 1 << 17])
def test_equals_int64(
    monkeypatch: pytest.MonkeyPatch, widths: tuple[int, ...], bits: int, largest: int, chunk: int
) -> None:
    """Pixels are the same whichever float carries a layer, however large what comes in."""
    monkeypatch.setattr(refinement, "CHUNK_VALUES", chunk)
    tensors, raster = _tensors(widths, bits), Raster(ROWS, IMAGES, COLUMNS)
    images = IntegerSource(largest).uniform(-largest, largest, 3, ROWS, IMAGES, COLUMNS)
    line = np.full((3, ROWS, IMAGES, COLUMNS + 1), 77.0)
    line[..., :-1] = images
    refined = ExactRefinement(tensors, widths)(line.reshape(3, -1), raster, Rooms())
    pixels = raster.pixels(np.clip(refined, 0, 255).astype(np.uint8))
    assert np.array_equal(pixels, _refined(images, tensors, len(widths)))


def test_small_numbers_are_carried_by_float32() -> None:
    """Usual weights and images need no more; the largest ones do."""
    raster = Raster(ROWS, IMAGES, COLUMNS)
    usual = np.full((3, raster.length), 5000.0)
    for images, bits, dtype in ((usual, 3, np.float32), (usual * 9999, 9, np.float64)):
        refined = ExactRefinement(_tensors((5,), bits), (5,))(images, raster, Rooms())
        assert refined.dtype == dtype

"""The labeler in integers: literal numbers, the float network beside it, and its bound."""

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from labeler_shapes import labeler_layers
from numpy.typing import NDArray
from sample_content import IntegerSource, sample_header, sample_labeler

from ddcodec.codec import surroundings
from ddcodec.codec.labels.labeler import ExactLabeler
from ddcodec.codec.labels.labeler_network import LabelerNetwork
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.errors import FormatError
from ddcodec.format.labeler_layers import LabelerLayer, LabelerShape

Triple = tuple[tuple[object, int], tuple[object, int], tuple[object, int]]
"""Weights, gains, biases of a layer, each with its step exponent."""

PLAIN: Triple = (([[[[1]]]], 0), ([1], 0), ([0], 0))
"""A layer that passes one channel on."""

PLAIN_OUT: Triple = (([[1]], 0), ([1], 0), ([0], 0))
"""An output that passes the mean on."""


def _tensors(layers: Sequence[Triple], out: Triple) -> NetworkTensors:
    names = [*map(str, range(len(layers))), "out"]
    return {
        f"labeler.{name}.{part}": QuantizedTensor(np.array(integers, dtype=np.int64), exponent)
        for name, triple in zip(names, [*layers, out], strict=True)
        for part, (integers, exponent) in zip(("weight", "gain", "bias"), triple, strict=True)
    }


def _logits(
    pixels: list[list[int]],
    layers: Sequence[tuple[LabelerLayer, Triple]],
    out: Triple = PLAIN_OUT,
) -> list[int]:
    """Return the logits of one grey image."""
    images = np.array(pixels, dtype=np.uint8)[None, None]
    num_classes = len(np.array(out[0][0]))
    shape = LabelerShape(tuple(layer for layer, _ in layers), images.shape[1:], num_classes)
    tensors = _tensors([triple for _, triple in layers], out)
    logits = ExactLabeler(shape, tensors).logits(images)
    assert logits.shape == (1, num_classes) and logits.dtype == np.int64
    return [int(value) for value in logits[0]]


def test_one_layer_of_a_single_pixel_kernel() -> None:
    """Weight, gain and bias in steps of their own; the mean; two outputs, one of them negative."""
    # Activations are 32 and 64. First 3 · 32 · 5 + 1 · 2^12 = 4576, then 5056; both drop 3 bits
    # and give 572 and 632, in the mean 602.
    layer: Triple = (([[[[3]]]], 1), ([5], 2), ([1], 3))
    # 602 · 2 · 1 >> 1 and (602 · −3 · 1 + 5 · 2^1) >> 1.
    out: Triple = (([[2], [-3]], 0), ([1, 1], 1), ([0, 5], 12))
    assert _logits([[129, 130]], [(LabelerLayer(1, 1), layer)], out) == [602, -898]


def test_a_negative_bias_ends_at_zero() -> None:
    """What is below 0 after the bias is 0."""
    layer: Triple = (([[[[1]]]], 0), ([1], 0), ([-40], 12))
    assert _logits([[129, 130]], [(LabelerLayer(1, 1), layer)]) == [(0 + 24) // 2]


def test_zeros_lie_around_the_image() -> None:
    """A kernel is laid over the image as it is written, not turned; outside is 0, not black."""
    kernel: Triple = (([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]], 0), ([1], 0), ([0], 0))
    layers = [(LabelerLayer(1, 3), kernel)]
    # The bright corner is seen by the four pixels under weights 5, 4, 2 and 1.
    assert _logits([[129, 128], [128, 128]], layers) == [(5 + 4 + 2 + 1) * 32 // 4]
    # A dark pixel at the end of the first row weighs 6, 5, 3, 2: nowhere more than the bright one.
    assert _logits([[129, 127], [128, 128]], layers) == [0]
    assert _logits([[131, 127], [128, 128]], layers) == [
        ((3 * 5 - 6) + (3 * 4 - 5) + (3 * 2 - 3) + (3 * 1 - 2)) * 32 // 4
    ]


def test_a_large_kernel_on_a_single_pixel() -> None:
    """Of a 5 × 5 kernel only the centre meets a 1 × 1 image."""
    weights = np.arange(25).reshape(1, 1, 5, 5)
    layer: Triple = ((weights, 0), ([1], 0), ([0], 0))
    assert _logits([[130]], [(LabelerLayer(1, 5), layer)]) == [12 * 64]


_ODD = [[129, 130, 131, 128, 255], [128, 128, 128, 132, 255], [255, 255, 255, 255, 255]]
"""Its last row and column are left out where 2 × 2 pixels are pooled."""


def test_pooling_of_an_odd_size() -> None:
    """The largest of whole 2 × 2 squares counts: 64 and 128."""
    assert _logits(_ODD, [(LabelerLayer(1, 1, pooled=True), PLAIN)]) == [96]


def test_a_negative_gain_comes_after_pooling() -> None:
    """The largest sum is taken first and then turned: 200 − 64 and 200 − 128."""
    layer: Triple = (([[[[1]]]], 0), ([-1], 0), ([200], 12))
    assert _logits(_ODD, [(LabelerLayer(1, 1, pooled=True), layer)]) == [104]


def test_skips_add_earlier_outputs_before_the_end() -> None:
    """A skip of 1 adds the layer's own input, one of 2 the output before that."""
    double: Triple = (([[[[2]]]], 0), ([1], 0), ([0], 0))
    negative: Triple = (([[[[-1]]]], 0), ([1], 0), ([0], 0))
    plain = LabelerLayer(1, 1)
    first = [(plain, PLAIN), (LabelerLayer(1, 1, skip=1), double)]
    assert _logits([[129]], first) == [64 + 32]
    assert _logits([[129]], [*first, (LabelerLayer(1, 1, skip=2), PLAIN)]) == [96 + 32]
    # −96 + 32 ends at 0; were the end before the sum it would be 32.
    assert _logits([[129]], [*first, (LabelerLayer(1, 1, skip=2), negative)]) == [0]


def test_negative_numbers_are_floored() -> None:
    """Half of a step below 0 is −1, in a layer before its skip and in the logits."""
    half: Triple = (([[[[-1]]]], 6), ([1], 0), ([0], 0))
    layers = [(LabelerLayer(1, 1), PLAIN), (LabelerLayer(1, 1, skip=1), half)]
    assert _logits([[129]], layers) == [32 - 1]
    out: Triple = (([[-1], [1]], 3), ([1, 1], 3), ([0, 0], 0))
    assert _logits([[129]], [(LabelerLayer(1, 1), PLAIN)], out) == [-1, 0]


def test_means_are_floored() -> None:
    """A third of 32 is 10."""
    assert _logits([[129, 128, 128]], [(LabelerLayer(1, 1), PLAIN)]) == [10]


def test_activations_and_logits_are_clamped() -> None:
    """Activations end at 2^27 − 1, logits there and at −2^27."""
    high: Triple = (([[[[0]]]], 0), ([0], 0), ([1 << 16], 0))
    out: Triple = (([[1], [2], [-2]], 0), ([1, 1, 1], 0), ([0, 0, 0], 0))
    logits = _logits([[128]], [(LabelerLayer(1, 1), high)], out)
    assert logits == [2**27 - 1, 2**27 - 1, -(2**27)]


def test_a_skip_may_add_to_the_largest_of_numbers() -> None:
    """A sum just below 2^53 and one just above −2^53 end at the clamp with any skip."""
    for sign, expected in ((1, 2**27 - 1), (-1, 0)):
        large: Triple = (([[[[0]]]], 0), ([0], 0), ([sign * ((1 << 41) - 1)], 0))
        layers = [(LabelerLayer(1, 1), PLAIN), (LabelerLayer(1, 1, skip=1), large)]
        assert _logits([[255]], layers) == [expected]


@pytest.mark.parametrize(
    ("weight", "gain", "bias", "passes"),
    [
        # Weights times the largest activation, 2^27.
        (([[1 << 26]], 0), (1, 0), (0, 0), False),
        (([[(1 << 26) - 1]], 0), (1, 0), (0, 0), True),
        # Their signs do not matter, nor does a gain of 0 excuse the sum before it.
        (([[1 << 25], [-(1 << 25)]], 0), (0, 0), (0, 0), False),
        (([[1 << 20]], 0), (-(1 << 6), 0), (0, 0), False),
        (([[1 << 20]], 0), (-(1 << 6) + 1, 0), (0, 0), True),
        # The bias is lifted by 12 and by the steps of weights and gains, less its own.
        (([[0]], 12), (0, 12), (1 << 17, 0), False),
        (([[0]], 12), (0, 12), ((1 << 17) - 1, 0), True),
        (([[0]], 0), (0, 0), (-(1 << 30), 12), True),
        (([[(1 << 26) - 1]], 0), (1, 0), (1 << 27, 12), False),
        (([[(1 << 26) - 1]], 0), (1, 0), ((1 << 27) - 1, 12), True),
    ],
)
@pytest.mark.parametrize("at_the_end", [False, True])
def test_arithmetic_that_is_not_exact_is_refused(
    weight: tuple[list[list[int]], int],
    gain: tuple[int, int],
    bias: tuple[int, int],
    passes: bool,
    at_the_end: bool,
) -> None:
    """Every output of every layer is proven, the bound itself is refused."""
    (column, weight_exponent), (factor, q), (offset, f) = weight, gain, bias
    inputs = len(column)
    wide: Triple = (([[[[1]]]] * inputs, 0), ([1] * inputs, 0), ([0] * inputs, 0))
    row = [number for (number,) in column]
    # The second output is the one in question.
    rows = [[1] * inputs, row]
    end: Triple = ((rows, weight_exponent), ([1, factor], q), ([0, offset], f))
    layers, triples, out = [LabelerLayer(inputs, 1)], [wide], end
    if not at_the_end:
        kernels = [[[[number]] for number in numbers] for numbers in rows]
        layers.append(LabelerLayer(2, 1))
        triples.append(((kernels, weight_exponent), end[1], end[2]))
        out = (([[1, 1], [1, 1]], 0), ([1, 1], 0), ([0, 0], 0))
    shape = LabelerShape(tuple(layers), (1, 1, 1), 2)
    if passes:
        assert ExactLabeler(shape, _tensors(triples, out))
        return
    with pytest.raises(FormatError, match="exceeds exact arithmetic"):
        ExactLabeler(shape, _tensors(triples, out))


def _sample(
    layers: tuple[LabelerLayer, ...], side: tuple[int, int], seed: int
) -> tuple[LabelerShape, NetworkTensors, NDArray[np.uint8]]:
    header = sample_header(
        num_classes=3, height=side[0], width=side[1], channels=3,
        label_mode=2, labeler_layers=layers,
    )  # fmt: skip
    source = IntegerSource(seed)
    tensors = sample_labeler(header, source)
    assert tensors is not None and header.labeler is not None
    images = source.uniform(0, 255, 2, 3, *side).astype(np.uint8)
    return header.labeler, tensors, images


def _rounding_bound(shape: LabelerShape, tensors: NetworkTensors) -> float:
    """Return how far floors can carry integer logits from float ones, in steps of 2^−12.

    Each floor is off by less than a step; a layer stretches an error at most by its weights' sum.
    """

    def stretch(name: str) -> float:
        weight, gain = (tensors[f"labeler.{name}.{part}"].values for part in ("weight", "gain"))
        magnitudes = np.abs(weight).reshape(len(weight), -1).sum(axis=1) * np.abs(gain)
        return float(magnitudes.max())

    error, errors = 0.0, []
    for number, layer in enumerate(shape.layers):
        error = error * stretch(str(number)) + 1 + (errors[-layer.skip] if layer.skip else 0)
        errors.append(error)
    return (error + 1) * stretch("out") + 1


def _both(
    shape: LabelerShape, tensors: NetworkTensors, images: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the logits of integers and of floats in steps of 2^−12."""
    floats = LabelerNetwork(shape, tensors)(torch.from_numpy(images)).numpy() * 4096
    return ExactLabeler(shape, tensors).logits(images), floats


def test_float_network_is_close() -> None:
    """Six layers of every kind: logits that differ by thousands agree within four steps."""
    layers = (
        LabelerLayer(4, 5),
        LabelerLayer(4, 3, skip=1),
        LabelerLayer(5, 1, pooled=True),
        LabelerLayer(5, 3),
        LabelerLayer(5, 3, skip=2),
        LabelerLayer(3, 5, pooled=True),
    )
    exact, floats = _both(*_sample(layers, (11, 10), 11))
    assert np.ptp(exact) > 3000
    assert np.abs(exact - floats).max() < 4


@given(st.data(), st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6))
def test_float_network_is_close_for_any_layers(
    data: st.DataObject, height: int, width: int, seed: int
) -> None:
    """Whatever the layers, floats and integers differ by what floors explain."""
    layers = data.draw(labeler_layers(height, width))
    shape, tensors, images = _sample(layers, (height, width), seed)
    exact, floats = _both(shape, tensors, images)
    # float32 keeps 24 bits of each of a few layers.
    slack = 1 + 1e-5 * np.abs(floats).max()
    assert np.abs(exact - floats).max() <= _rounding_bound(shape, tensors) + slack


@pytest.mark.parametrize(
    "layers",
    [
        (LabelerLayer(96, 1, pooled=True), LabelerLayer(1, 5)),
        (LabelerLayer(2, 5), LabelerLayer(2, 5, skip=1)),
        (LabelerLayer(64, 1), LabelerLayer(64, 1)),
    ],
)
def test_memory_is_what_the_header_says(layers: tuple[LabelerLayer, ...]) -> None:
    """The bound on the decoder's memory covers the labeler's arrays, and is not much larger."""
    shape, tensors, images = _sample(layers, (63, 65), 1)
    labeler = ExactLabeler(shape, tensors)
    tracemalloc.start()
    try:
        labeler.logits(images[:1])
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert shape.working_bytes / 2 < peak_bytes < shape.working_bytes + 100_000


@pytest.mark.parametrize("macs", [1, 1 << 12, 1 << 40])
def test_chunk_sizes_do_not_matter(monkeypatch: pytest.MonkeyPatch, macs: int) -> None:
    """However many columns are multiplied together, the logits are the same."""
    layers = (LabelerLayer(4, 3), LabelerLayer(4, 3, skip=1), LabelerLayer(6, 5, pooled=True))
    shape, tensors, images = _sample(layers, (13, 17), 5)
    labeler = ExactLabeler(shape, tensors)
    expected = labeler.logits(images)
    monkeypatch.setattr(surroundings, "CHUNK_MACS", macs)
    assert np.array_equal(labeler.logits(images), expected)
    assert np.array_equal(labeler.logits(images[1:]), expected[1:])

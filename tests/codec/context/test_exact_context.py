"""The context network in floats that carry integers, against int64, at the extremes of both."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sample_content import IntegerSource

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.context.exact import ExactContext
from ddcodec.codec.context.prediction import Predictor
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.entropy.rooms import Rooms
from ddcodec.format.planes import planes_of

Integers = NDArray[np.int64]
WIDTH, DEPTH, PLANES = 8, 2, 3


def _tensors(bits: int, exponent: int, bias_exponent: int) -> NetworkTensors:
    source = IntegerSource(bits + 100 * exponent)
    shapes = ContextModel(1, WIDTH, DEPTH, planes_of(1, PLANES, 1, 8, 8)).tensor_shapes()
    return {
        name: QuantizedTensor(
            source.uniform(-(1 << bits), 1 << bits, *shape),
            bias_exponent if name.endswith("bias") else exponent,
        )
        for name, shape in shapes.items()
    }


def _predicted(tensors: NetworkTensors, symbols: Integers, plane: int) -> Integers:
    """Predict as docs/format.md says, in int64."""
    hidden = symbols << 12
    for name in ("context.0", "context.1", "context.out"):
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        exponent = weight.step_exponent
        offsets = bias.integers[plane] if name == "context.out" else bias.integers
        matrix = weight.integers
        if name != "context.out":
            matrix = matrix + (np.eye(WIDTH, dtype=np.int64) << exponent)
        sums = matrix @ hidden + (offsets << 12 + exponent - bias.step_exponent)[:, None]
        hidden = sums >> exponent
        if name != "context.out":
            hidden = np.clip(hidden, 0, (1 << 27) - 1)
    loc = np.clip((hidden[0] + 128) >> 8, -(1 << 19), 1 << 19)
    return np.stack([loc, np.clip((hidden[1] + 256 >> 9) + 40, 0, 63)])


@pytest.mark.parametrize("bits", [1, 4, 8, 18])
@pytest.mark.parametrize("exponents", [(0, 0), (6, 3), (3, 6), (12, 12)])
@pytest.mark.parametrize("largest", [0, 1, 7, 300, 1 << 15])
def test_equals_int64(bits: int, exponents: tuple[int, int], largest: int) -> None:
    """Predictions are the same whichever float carries a layer, however large what comes in."""
    tensors = _tensors(bits, *exponents)
    network = ExactContext(tensors, DEPTH, PLANES)
    symbols = IntegerSource(largest).uniform(-largest, largest, WIDTH, 50)
    symbols[:, :2] = [[largest, -largest]]
    for plane in range(PLANES):
        found = network.predict(symbols, largest, plane, Rooms(), chunk=64)
        assert np.array_equal(found, _predicted(tensors, symbols, plane))


def test_most_negative_symbol_has_a_magnitude() -> None:
    """What enters without its sign is 32,768 where the symbol is −32,768."""
    context = ContextModel(3, WIDTH, DEPTH, planes_of(2, 1, 1, 2, 4))
    tensors = _tensors(4, 6, 6)
    tensors["context.out.bias"] = QuantizedTensor(np.zeros((len(context.planes), 2), np.int64), 0)
    network = ExactContext(tensors, DEPTH, len(context.planes))
    number = len(context.planes) - 1
    y, x = np.array([0]), np.array([1])
    predictor = Predictor(context, network, 1, chunk=4)
    predictor.learn_plane(number, np.array([[[-32768, 0]]], dtype=np.int16))
    found = predictor.predict(number, predictor.inputs_of(number, y, x))
    inputs = np.zeros((WIDTH, 1), dtype=np.int64)
    # The first of the eight inputs is the neighbour to the left.
    inputs[0] = 32768
    assert np.array_equal(found, _predicted(tensors, inputs, number))


def test_what_is_at_rest_is_predicted_as_everything_else() -> None:
    """Leaving out latents whose inputs are all 0 changes nothing, whatever their share."""
    context = ContextModel(1, WIDTH, DEPTH, planes_of(1, PLANES, 1, 8, 8))
    tensors = _tensors(6, 6, 6)
    network = ExactContext(tensors, DEPTH, PLANES)
    y, x = np.divmod(np.arange(64), 8)
    for busy in (0, 1, 5, 64):
        symbols = np.zeros((2, 8, 8), dtype=np.int16)
        symbols.reshape(2, -1)[1, :busy] = 3
        predictor = Predictor(context, network, 2, chunk=5)
        predictor.learn_plane(0, symbols)
        rows = predictor.inputs_of(0, y, x)
        table = np.concatenate([np.zeros((1, 2), np.int64), symbols.reshape(2, -1).T])
        inputs = table[rows].reshape(WIDTH, -1)
        assert np.array_equal(predictor.predict(0, rows), _predicted(tensors, inputs, 0))

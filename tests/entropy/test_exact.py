"""Integer layers in float64: equal to Python's integers, and refused where they might not be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.entropy.exact import ACTIVATION_LIMIT, IntegerLayer, carrier, shift_and_clamp
from ddcodec.errors import FormatError


@st.composite
def layers(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int], int]:
    """Draw weights, biases, one input column and a shift whose sums stay below 2^53."""
    inputs, outputs = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    weight = st.integers(-(2**21), 2**21)
    rows = [draw(st.lists(weight, min_size=inputs, max_size=inputs)) for _ in range(outputs)]
    activation = st.integers(-(2**27), 2**27 - 1)
    column = draw(st.lists(activation, min_size=inputs, max_size=inputs))
    bias = draw(st.lists(st.integers(-(2**51), 2**51), min_size=outputs, max_size=outputs))
    return rows, bias, column, draw(st.integers(0, 16))


@given(layers())
def test_equals_python_integers(drawn: tuple[list[list[int]], list[int], list[int], int]) -> None:
    """A layer computes what unbounded integers compute."""
    rows, bias, column, shift = drawn
    layer = IntegerLayer(
        np.array(rows, dtype=np.float64), np.array(bias, dtype=np.float64)[:, None], shift, low=0
    )
    layer.check_exact(ACTIVATION_LIMIT)
    outputs = layer(np.array(column, dtype=np.float64)[:, None])[:, 0]
    for row, offset, output in zip(rows, bias, outputs, strict=True):
        total = sum(w * x for w, x in zip(row, column, strict=True)) + offset
        assert int(output) == min(max(total >> shift, 0), 2**27 - 1)


def test_order_of_columns_does_not_matter() -> None:
    """Inputs in any order, alone or together, give the same outputs."""
    random = np.random.default_rng(3)
    weight = random.integers(-(2**18), 2**18, (16, 64)).astype(np.float64)
    bias = random.integers(-(2**40), 2**40, (16, 1)).astype(np.float64)
    layer = IntegerLayer(weight, bias, shift=9)
    layer.check_exact(ACTIVATION_LIMIT)
    inputs = random.integers(-(2**27), 2**27, (64, 33)).astype(np.float64)
    together = layer(inputs)
    order = random.permutation(64)
    shuffled = IntegerLayer(np.asfortranarray(weight[:, order]), bias, shift=9)(inputs[order])
    alone = np.concatenate([layer(inputs[:, at : at + 1]) for at in range(33)], axis=1)
    assert np.array_equal(together, shuffled) and np.array_equal(together, alone)


def test_bound_is_refused_at_its_edge() -> None:
    """A bound of 2^53 − 1 passes; 2^53 does not."""
    weight = np.array([[2.0**25, -(2.0**25)]])
    bound = 2**26 * (2**27 - 1)
    for bias, passes in ((2**53 - 1 - bound, True), (2**53 - bound, False)):
        layer = IntegerLayer(weight, np.array([[-float(bias)]]), shift=0)
        if passes:
            layer.check_exact(2**27 - 1)
        else:
            with pytest.raises(FormatError, match="exceed exact arithmetic"):
                layer.check_exact(2**27 - 1)


def test_bound_is_proven_for_every_row() -> None:
    """One row too large is enough to refuse."""
    weight = np.zeros((3, 2))
    weight[2] = 2.0**25
    with pytest.raises(FormatError):
        IntegerLayer(weight, np.zeros((3, 1)), shift=4).check_exact(ACTIVATION_LIMIT)


def test_shift_rounds_down() -> None:
    """Dropped bits round towards minus infinity; then comes the clamp."""
    values = np.array([-9.0, -8.0, -1.0, 0.0, 7.0, 8.0, 1e9])
    assert shift_and_clamp(values, 3, -2, 5).tolist() == [-2, -1, -1, 0, 0, 1, 5]


@given(layers())
def test_float32_equals_python_integers(
    drawn: tuple[list[list[int]], list[int], list[int], int],
) -> None:
    """Up to its limit on inputs, float32 computes what unbounded integers compute."""
    rows, bias, column, shift = drawn
    weight = np.array(rows) >> 15
    offsets = np.array(bias) >> 30
    layer = IntegerLayer(weight.astype(np.float64), offsets[:, None].astype(np.float64), shift)
    limit = int(layer.single_limit)
    inputs = [max(-limit, min(limit, value)) for value in column]
    if limit < 0:
        return
    column_of_ones = np.array([[value] for value in [*inputs, 1]], dtype=np.float32)
    outputs = np.floor(layer.affine_single @ column_of_ones)[:, 0]
    for row, offset, output in zip(weight.tolist(), offsets.tolist(), outputs, strict=True):
        total = sum(w * x for w, x in zip(row, inputs, strict=True)) + offset
        assert int(output) == total >> shift


def test_limit_of_float32_at_its_edge() -> None:
    """The largest sum is below 2^24 at the limit and no longer beyond it."""
    layer = IntegerLayer(np.array([[3.0, -5.0], [1.0, 0.0]]), np.array([[-7.0], [0.0]]), shift=0)
    assert layer.single_limit == (2**24 - 1 - 7) // 8 == 2097151
    assert layer.largest_sums(2097151.0).tolist() == [2**24 - 1, 2097151]
    assert carrier(2**24 - 1) is np.float32
    assert carrier(2**24) is np.float64
    too_much = IntegerLayer(np.zeros((1, 1)), np.array([[2.0**24]]), shift=0)
    assert too_much.single_limit < 0

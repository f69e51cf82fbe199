"""Network tensors as integers: round trips over all magnitudes, and what they cost."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.codec.parameters import (
    QuantizedTensor,
    code_tensor,
    coded_bits,
    estimate_rate_bits,
    quantize,
)
from ddcodec.entropy.range_coder import RangeDecoder, RangeEncoder


@st.composite
def tensors(draw: st.DrawFn) -> QuantizedTensor:
    """Draw a tensor of any shape, whose integers may be tiny, huge or mixed."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    largest = draw(st.sampled_from([0, 1, 3, 40, 1000, 2**15, 2**20, 2**30 - 1]))
    integers = st.integers(-largest - 1, largest) | st.integers(-1, 1)
    count = int(np.prod(shape))
    flat = draw(st.lists(integers, min_size=count, max_size=count))
    return QuantizedTensor(np.array(flat, dtype=np.int64).reshape(shape), draw(st.integers(0, 12)))


@given(tensors())
def test_round_trip_and_cost(tensor: QuantizedTensor) -> None:
    """A tensor comes back exactly and costs what was announced."""
    encoder = RangeEncoder()
    code_tensor(encoder, tensor, tensor.integers.shape)
    assert encoder.bits == pytest.approx(coded_bits(tensor), rel=1e-6, abs=1e-4)
    decoder = RangeDecoder(encoder.payload())
    decoded = code_tensor(decoder, None, tensor.integers.shape)
    decoder.finish()
    assert np.array_equal(decoded.integers, tensor.integers)
    assert decoded.integers.shape == tensor.integers.shape
    assert decoded.step_exponent == tensor.step_exponent


@pytest.mark.parametrize("scale", [0.05, 0.3, 1, 3, 20, 500, 5000])
@pytest.mark.parametrize("kind", ["laplace", "normal"])
@pytest.mark.parametrize("count", [4, 60, 900])
def test_estimate_is_close_to_the_cost(scale: float, kind: str, count: int) -> None:
    """The float estimate of bell-shaped weights lies within 1 % and 6 bits of the coded size."""
    random = np.random.default_rng(int(100 * scale) + count)
    values = (
        random.laplace(0, scale, count) if kind == "laplace" else random.normal(0, scale, count)
    )
    tensor = quantize(values, 0)
    estimate = estimate_rate_bits(torch.tensor(tensor.values), 0)
    assert float(estimate) == pytest.approx(coded_bits(tensor), rel=0.01, abs=6)


def test_estimate_has_a_gradient() -> None:
    """Shrinking a weight lowers the estimate."""
    weights = torch.tensor([0.0, 0.25, -1.5, 30.0], requires_grad=True)
    estimate_rate_bits(weights, 4).backward()
    assert weights.grad is not None
    assert torch.isfinite(weights.grad).all()
    assert (weights.grad[1:] * weights.detach()[1:].sign() > 0).all()


def test_quantize_rounds_to_steps() -> None:
    """Values become the nearest multiples of the step."""
    tensor = quantize(np.array([[0.3, -0.3], [1.0, 0.06]]), 3)
    assert tensor.integers.tolist() == [[2, -2], [8, 0]]
    assert tensor.values.tolist() == [[0.25, -0.25], [1.0, 0.0]]


def test_likely_tensors_are_nearly_free() -> None:
    """A tensor of zeros costs its details and next to nothing else."""
    assert coded_bits(QuantizedTensor(np.zeros((64, 64), np.int64), 12)) < 14

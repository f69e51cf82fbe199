"""The Laplace model: the estimate is the cost, the gradient leads somewhere, escapes cover all."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.entropy import tables
from ddcodec.entropy.laplace import (
    LARGEST_LOG2_SCALE,
    SMALLEST_LOG2_SCALE,
    LaplaceModel,
    bit_lengths,
    continuous_bits,
    escape_raw_bits,
    log2_scale_of,
    nearest_scale_index,
    table_rows,
)
from ddcodec.entropy.range_coder import RangeDecoder, RangeEncoder
from ddcodec.errors import FormatError

_INT16 = st.integers(-(2**15), 2**15 - 1)
_LOC = st.integers(-(2**19), 2**19) | st.integers(-64, 64)


@given(st.lists(st.tuples(_INT16 | st.integers(-20, 20), _LOC, st.integers(0, 63)), max_size=40))
def test_round_trip(triples: list[tuple[int, int, int]]) -> None:
    """Any 16-bit integer can be coded at any location and scale."""
    values, locs, scales = np.array(triples, dtype=np.int64).reshape(-1, 3).T
    encoder = RangeEncoder()
    assert LaplaceModel().code(encoder, values, locs, scales) is not None
    decoder = RangeDecoder(encoder.payload())
    assert np.array_equal(LaplaceModel().code(decoder, None, locs, scales), values)
    decoder.finish()


def test_symbols_of_one_call() -> None:
    """Table symbols come first, then all bit lengths, then the lower bits by rising length."""
    values = np.array([40, 0, -16, 15, -100])
    calls = []

    class Recorder(RangeEncoder):
        def uniform(self, values, size, count):  # type: ignore[no-untyped-def]
            calls.append((size, values.tolist()))
            return super().uniform(values, size, count)

        def table(self, indices, rows):  # type: ignore[no-untyped-def]
            calls.append((rows.tolist(), indices.tolist()))
            return super().table(indices, rows)

    LaplaceModel().code(Recorder(), values, np.zeros(5, np.int64), np.full(5, 30))
    # Remainders: 40 → 80 − 31 = 49, −16 → 31 − 31 = 0, −100 → 199 − 31 = 168.
    assert calls[0] == ([30 * 16 + 8] * 5, [31, 0, 31, 30, 31])
    assert calls[1] == (18, [6, 0, 8])
    spent = [call for call in calls[2:] if call[1]]
    assert spent == [(32, [49 - 32]), (128, [168 - 128])]


def test_rows_of_locations() -> None:
    """A location splits into the nearest integer, halves upwards, and sixteenths."""
    loc16 = np.array([0, 7, 8, -8, -9, 16, 23, 24])
    loc, rows = table_rows(loc16, np.full(8, 5))
    assert loc.tolist() == [0, 0, 1, 0, -1, 1, 1, 2]
    assert (rows - 80).tolist() == [8, 15, 0, 0, 15, 8, 15, 0]


@pytest.mark.parametrize("log2_scale", [-5.0, -3.0, -1.5, -0.4, 0.0, 0.7, 1.6, 2.25, 2.875])
@pytest.mark.parametrize("loc_sixteenths", [0, 5, -8])
def test_estimate_equals_cost(log2_scale: float, loc_sixteenths: int) -> None:
    """The differentiable estimate is what really coding samples costs, escapes included."""
    random = np.random.default_rng(abs(loc_sixteenths) + int(8 * (log2_scale + 5)))
    count = 20_000
    samples = random.laplace(loc_sixteenths / 16, 2**log2_scale, count)
    values = np.rint(samples).astype(np.int64)
    values[:5] += (17, -18, 100, -3000, 20_000)
    index = nearest_scale_index(2**log2_scale)
    encoder = RangeEncoder()
    locs, scales = np.full(count, loc_sixteenths), np.full(count, index)
    LaplaceModel().code(encoder, values, locs, scales)
    shape = torch.zeros(count, dtype=torch.float64)
    estimate = LaplaceModel().rate_bits(
        torch.tensor(values, dtype=torch.float64),
        shape + loc_sixteenths / 16,
        shape + log2_scale_of(index),
    )
    assert float(estimate.sum()) == pytest.approx(encoder.bits, rel=0.005, abs=30)
    assert 8 * len(encoder.payload()) == pytest.approx(encoder.bits, rel=0.001, abs=72)


def test_estimate_in_single_precision() -> None:
    """Single precision, as in training, agrees with double precision."""
    random = torch.Generator().manual_seed(1)
    values = torch.randint(-40, 41, (4000,), generator=random).float()
    loc = torch.randn(4000, generator=random)
    log2_scale = torch.empty(4000).uniform_(-6, 4, generator=random)
    single = LaplaceModel().rate_bits(values, loc, log2_scale)
    double = LaplaceModel().rate_bits(values.double(), loc.double(), log2_scale.double())
    assert torch.allclose(single.double(), double, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_and_lead_back(dtype: torch.dtype) -> None:
    """Every gradient is finite, and an outlier is pulled towards its location."""
    values = torch.tensor(
        [0.0, 0.5, -0.5, 0.4999, 1.0, 15.0, 15.5, 16.0, 100.0, -3e4, 3e4, 1e-9], dtype=dtype
    )
    scales = torch.tensor([-9.0, -5.0, -2.0, 0.0, 2.0, 2.875, 9.0], dtype=dtype)
    grid = torch.cartesian_prod(values, scales)
    value, log2_scale = grid[:, 0].clone(), grid[:, 1].clone()
    loc = torch.zeros_like(value)
    for tensor in (value, loc, log2_scale):
        tensor.requires_grad_()
    bits = LaplaceModel().rate_bits(value, loc, log2_scale)
    assert bool(torch.isfinite(bits).all()) and float(bits.detach().min()) >= 0
    bits.sum().backward()
    for tensor in (value, loc, log2_scale):
        assert tensor.grad is not None and bool(torch.isfinite(tensor.grad).all())
    assert value.grad is not None
    far = value.detach().abs() >= 1
    assert bool((value.grad[far] * value.detach()[far].sign() > 0).all())


def test_scales_are_clamped() -> None:
    """Scales beyond the tables cost what the last table costs."""
    value, loc = torch.tensor([3.0, 0.0]), torch.zeros(2)
    model = LaplaceModel()
    for inside, outside in ((LARGEST_LOG2_SCALE, 20.0), (SMALLEST_LOG2_SCALE, -20.0)):
        expected = model.rate_bits(value, loc, torch.full((2,), inside))
        assert torch.equal(model.rate_bits(value, loc, torch.full((2,), outside)), expected)


def test_scale_indices() -> None:
    """Index 40 is scale 1, eight indices are an octave, and the ends clamp."""
    assert [nearest_scale_index(scale) for scale in (1, 2, 0.5, 1.09, 1e9, 0)] == [
        40, 48, 32, 41, 63, 0,
    ]  # fmt: skip
    assert [log2_scale_of(index) for index in (0, 40, 63)] == [-5.0, 0.0, 2.875]


def test_continuous_bits_is_a_distribution() -> None:
    """The masses of all integers add up to one, at any scale."""
    values = torch.arange(-40_000, 40_001, dtype=torch.float64)
    for log2_scale in (-5.0, -1.0, 0.0, 3.0, 8.0, 11.0):
        bits = continuous_bits(values, torch.tensor(log2_scale, dtype=torch.float64))
        assert float((-bits).exp2().sum()) == pytest.approx(1, abs=1e-6)


def test_bit_lengths() -> None:
    """Bit lengths are those of Python's integers."""
    values = np.array([0, 1, 2, 3, 4, 127, 128, 65_535, 65_536, 131_071])
    assert bit_lengths(values).tolist() == [int(value).bit_length() for value in values]
    assert escape_raw_bits(np.array([0, 1, 5])) == pytest.approx(
        [np.log2(18)] * 2 + [np.log2(18) + 2]
    )


def test_decoded_values_out_of_range_are_refused() -> None:
    """A remainder that leads beyond 16 bits is refused."""
    encoder = RangeEncoder()
    rows = table_rows(np.array([0]), np.array([40]))[1]
    encoder.table(np.array([tables.ESCAPE]), rows)
    encoder.uniform(np.array([17]), 18, 1)
    encoder.uniform(np.array([65_535]), 1 << 16, 1)
    with pytest.raises(FormatError, match="out of range"):
        LaplaceModel().code(RangeDecoder(encoder.payload()), None, np.array([0]), np.array([40]))

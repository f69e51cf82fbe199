"""The context model: causal, and the same in floats and integers."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sample_content import IntegerSource, sample_content, sample_header, sample_networks

from ddcodec.codec.context import (
    CONTEXT_MODELS,
    ContextModel,
    coarser_indices,
    dense_layer,
)
from ddcodec.codec.latents import wave_positions
from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.codec.stream import Content, context_of, walk
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.entropy.range_coder import Coder, RangeEncoder
from ddcodec.errors import FormatError
from ddcodec.format.header import Header

Integers = NDArray[np.int64]


class _Recorder(LaplaceModel):
    """A model that remembers what was predicted for what."""

    calls: list[tuple[Integers, Integers, Integers]]

    def __init__(self) -> None:
        self.calls = []
        _Recorder.last = self

    def code(
        self, coder: Coder, values: Integers | None, loc: Integers, scale: Integers
    ) -> Integers:
        assert values is not None
        self.calls.append((values, loc, scale))
        return super().code(coder, values, loc, scale)

    last: "_Recorder"


def _predictions(
    monkeypatch: pytest.MonkeyPatch, header: Header, content: Content
) -> tuple[Integers, Integers, Integers]:
    """Return latents, locations and scale indices of a file in the order they are coded."""
    with monkeypatch.context() as patch:
        patch.setattr("ddcodec.codec.stream.LaplaceModel", _Recorder)
        walk(RangeEncoder(), header, content)
    values, locs, scales = zip(*_Recorder.last.calls, strict=True)
    return np.concatenate(values), np.concatenate(locs), np.concatenate(scales)


@pytest.mark.parametrize("context_id", [1, 2])
def test_causality(monkeypatch: pytest.MonkeyPatch, context_id: int) -> None:
    """Changing any symbol changes the predicted distribution of later symbols of its image only."""
    header = sample_header(num_images=2, height=5, width=6, num_levels=3, context_id=context_id)
    content = sample_content(header, 11)
    before = _predictions(monkeypatch, header, content)
    num_felt = 0
    for plane in content.latents[0]:
        image, rows, columns = plane.shape
        for index in np.ndindex(image, rows, columns):
            plane[index] += 9
            after = _predictions(monkeypatch, header, content)
            plane[index] -= 9
            (changed,) = np.nonzero(after[0] != before[0])
            assert len(changed) == 1
            position = int(changed[0])
            moved = (after[1] != before[1]) | (after[2] != before[2])
            assert not moved[: position + 1].any()
            # All images of a position are coded together, so that images alternate.
            assert not moved[1 - index[0] :: 2].any()
            num_felt += bool(moved.any())
    assert num_felt > header.num_symbols * 0.8


@pytest.mark.parametrize("context_id", [1, 2])
def test_finest_level_feels_the_coarser_one_only_if_told(
    monkeypatch: pytest.MonkeyPatch, context_id: int
) -> None:
    """The next coarser level is an input of one variant and not of the other."""
    header = sample_header(num_images=1, height=6, width=6, num_levels=2, context_id=context_id)
    content = sample_content(header, 12)
    _, loc, scale = _predictions(monkeypatch, header, content)
    content.latents[0][1][0, 1, 1] += 9
    _, changed_loc, changed_scale = _predictions(monkeypatch, header, content)
    finest = slice(-36, None)
    moved = (loc != changed_loc)[finest] | (scale != changed_scale)[finest]
    # Children of the symbol and of the eight parents around it may feel it.
    assert moved.any() == (context_id == 2)


@pytest.mark.parametrize("context_id", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(7, 5), (28, 28), (24, 32), (1, 3)])
def test_floats_agree_with_integers(
    monkeypatch: pytest.MonkeyPatch, context_id: int, height: int, width: int
) -> None:
    """Locations agree to the rounding of 1/16, scales to the rounding of an eighth octave."""
    header = sample_header(
        num_images=2,
        height=height,
        width=width,
        num_levels=4,
        context_id=context_id,
        context_width=16,
        context_depth=3,
    )
    content = sample_content(header, 13)
    _, locs, scales = _predictions(monkeypatch, header, content)
    parameters = {name: torch.tensor(tensor.values) for name, tensor in content.networks[0].items()}
    latents = [torch.tensor(plane, dtype=torch.float64) for plane in content.latents[0]]
    estimates = context_of(header).estimate(parameters, latents)
    start = 0
    for level in reversed(range(4)):
        rows, columns = header.level_shape(level)
        positions = np.concatenate(wave_positions(rows, columns))
        part = slice(start, start + 2 * len(positions))
        start = part.stop
        loc, log2_scale = (
            estimate.numpy()[:, positions[:, 0], positions[:, 1]].T.reshape(-1)
            for estimate in estimates[level]
        )
        assert np.abs(loc - locs[part] / 16).max() < 1 / 32 + 1 / 200
        index = np.clip(log2_scale * 8 + 40, 0, 63)
        assert np.abs(index - scales[part]).max() < 0.5 + 8 / 200
    assert start == header.num_symbols


def test_tensor_shapes() -> None:
    """Tensors come layer by layer, then the output with a bias pair for each level."""
    shapes = ContextModel(width=8, depth=2, num_levels=3, sees_coarser=False).tensor_shapes()
    assert list(shapes.items()) == [
        ("context.0.weight", (8, 8)),
        ("context.0.bias", (8,)),
        ("context.1.weight", (8, 8)),
        ("context.1.bias", (8,)),
        ("context.out.weight", (2, 8)),
        ("context.out.bias", (3, 2)),
    ]


def test_names_and_numbers() -> None:
    """The numbers of the context models are part of the format."""
    assert CONTEXT_MODELS == {"own": 1, "coarser": 2}
    for name, number in CONTEXT_MODELS.items():
        assert ContextModel(16, 2, 3, name == "coarser").context_id == number


def test_initial_prediction() -> None:
    """An untrained model predicts location 0 and scale 1 where all neighbours are 0."""
    model = ContextModel(16, 2, 3, True)
    parameters = model.initial_parameters(torch.Generator().manual_seed(0))
    assert {name: tuple(t.shape) for name, t in parameters.items()} == model.tensor_shapes()
    latents = [torch.zeros(2, 8 >> level, 8 >> level) for level in range(3)]
    for loc, log2_scale in model.estimate(parameters, latents):
        assert not loc.any() and not log2_scale.any()


def test_coarser_indices() -> None:
    """A child sees its parent and the parent's neighbour on its own side."""
    rows, columns = coarser_indices(5, 2)
    assert [index.tolist() for index in rows] == [[0, 0, 1, 1, 2], [-1, 1, 0, 2, 1]]
    assert [index.tolist() for index in columns] == [[0, 0], [-1, 1]]


def test_dense_layer_in_integers() -> None:
    """Weight and bias of different steps meet in the accumulator; the residual is the identity."""
    weight = QuantizedTensor(np.array([[3, -1], [0, 2]]), 4)
    bias = QuantizedTensor(np.array([5, -7]), 2)
    layer = dense_layer(weight, bias, residual=True)
    inputs = np.array([[4096.0, 7.0], [-8192.0, 9.0]])
    # Accumulator: (W + 16·I) x + bias · 2^(12 + 4 − 2), then floor(· / 16) and ReLU.
    first = [19 * 4096 + 8192 + 5 * 16384, 19 * 7 - 9 + 5 * 16384]
    second = [18 * -8192 - 7 * 16384, 18 * 9 - 7 * 16384]
    expected = [[max(0, total // 16) for total in row] for row in (first, second)]
    assert layer(inputs).tolist() == expected


@pytest.mark.parametrize(
    ("name", "integers", "exponent"),
    [
        ("context.0.weight", 2**26, 12),
        ("context.out.weight", 2**27, 12),
        ("context.0.bias", 2**30, 0),
    ],
)
def test_inexact_networks_are_refused(name: str, integers: int, exponent: int) -> None:
    """Weights and biases that could leave the integers of float64 are refused."""
    header = sample_header()
    tensors = sample_networks(header, IntegerSource(1))
    shape = tensors[name].integers.shape
    tensors[name] = QuantizedTensor(np.full(shape, integers), exponent)
    tensors["context.0.weight"] = QuantizedTensor(tensors["context.0.weight"].integers, 12)
    with pytest.raises(FormatError, match="exact"):
        context_of(header).exact(tensors)

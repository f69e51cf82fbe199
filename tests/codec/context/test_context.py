"""The context model: causal, and the same in floats and integers."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sample_content import IntegerSource, sample_content, sample_header, sample_networks

from ddcodec.codec.context.context import CONTEXT_MODELS, ContextModel
from ddcodec.codec.context.neighbours import neighbours_at, plane_starts
from ddcodec.codec.latents import wave_positions
from ddcodec.codec.layers import dense_layer
from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.codec.stream import Content, context_of, walk
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.entropy.range_coder import Coder, RangeEncoder
from ddcodec.errors import FormatError
from ddcodec.format.header import Header
from ddcodec.format.planes import planes_of

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


VARIANTS = [(1, 1), (2, 1), (3, 2), (3, 3), (4, 4)]
"""Context and synthesis ids that go together."""


@pytest.mark.parametrize(("context_id", "synthesis_id"), VARIANTS)
def test_causality(monkeypatch: pytest.MonkeyPatch, context_id: int, synthesis_id: int) -> None:
    """Changing any symbol changes the predicted distribution of later symbols of its image only."""
    header = sample_header(
        num_images=2,
        height=5,
        width=6,
        channels=3 if synthesis_id > 1 else 1,
        num_levels=3 if synthesis_id == 1 else 2,
        context_id=context_id,
        synthesis_id=synthesis_id,
        context_width=8 if synthesis_id == 1 else 32,
    )
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
    assert num_felt > header.num_symbols * 0.7


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


@pytest.mark.parametrize(("context_id", "synthesis_id"), VARIANTS)
@pytest.mark.parametrize(("height", "width"), [(7, 5), (28, 28), (24, 32), (1, 3)])
def test_floats_agree_with_integers(
    monkeypatch: pytest.MonkeyPatch, context_id: int, synthesis_id: int, height: int, width: int
) -> None:
    """Locations agree to the rounding of 1/16, scales to the rounding of an eighth octave."""
    header = sample_header(
        num_images=2,
        height=height,
        width=width,
        num_levels=4,
        channels=3,
        context_id=context_id,
        synthesis_id=synthesis_id,
        context_width=16,
        context_depth=3,
    )
    content = sample_content(header, 13)
    _, locs, scales = _predictions(monkeypatch, header, content)
    parameters = {name: torch.tensor(tensor.values) for name, tensor in content.networks[0].items()}
    latents = [torch.tensor(plane, dtype=torch.float64) for plane in content.latents[0]]
    estimates = context_of(header).estimate(parameters, latents)
    start = 0
    for number in reversed(range(len(header.planes))):
        plane = header.planes[number]
        if not plane.size:
            continue
        positions = np.concatenate(wave_positions(plane.rows, plane.columns))
        part = slice(start, start + 2 * len(positions))
        start = part.stop
        loc, log2_scale = (
            estimate.numpy()[:, positions[:, 0], positions[:, 1]].T.reshape(-1)
            for estimate in estimates[number]
        )
        assert np.abs(loc - locs[part] / 16).max() < 1 / 32 + 1 / 200
        index = np.clip(log2_scale * 8 + 40, 0, 63)
        assert np.abs(index - scales[part]).max() < 0.5 + 8 / 200
    assert start == header.num_symbols


def test_tensor_shapes() -> None:
    """Tensors come layer by layer, then the output with a bias pair for each level."""
    shapes = ContextModel(1, 8, 2, planes_of(1, 3, 1, 8, 8)).tensor_shapes()
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
    assert CONTEXT_MODELS == {"own": 1, "coarser": 2, "bands": 3, "pixels": 4}


@pytest.mark.parametrize(("context_id", "synthesis_id"), VARIANTS)
def test_initial_prediction(context_id: int, synthesis_id: int) -> None:
    """An untrained model predicts location 0 and scale 1 where all neighbours are 0."""
    planes = planes_of(synthesis_id, 3, 3, 8, 8)
    model = ContextModel(context_id, 16, 2, planes)
    parameters = model.initial_parameters(torch.Generator().manual_seed(0))
    assert {name: tuple(t.shape) for name, t in parameters.items()} == model.tensor_shapes()
    latents = [torch.zeros(2, plane.rows, plane.columns) for plane in planes]
    for loc, log2_scale in model.estimate(parameters, latents):
        assert not loc.any() and not log2_scale.any()


def test_parents() -> None:
    """A child sees its parent and the parent's neighbours on its own side; outside is 0."""
    planes = planes_of(1, 2, 1, 5, 2)
    y, x = np.array([0, 1, 2, 4]), np.array([0, 1, 0, 1])
    index = neighbours_at(2, 8, planes, 0, y, x).index[4:]
    # Level 1 is 3 × 1 and follows the 10 latents of level 0: its rows have the indices 11, 12, 13.
    assert index.T.tolist() == [[11, 0, 0, 0], [11, 0, 12, 0], [12, 0, 11, 0], [13, 0, 12, 0]]


def test_band_inputs() -> None:
    """A diagonal latent of the second colour sees, in this order, what lies around it."""
    planes = planes_of(2, 2, 2, 8, 8)
    starts = plane_starts(planes)
    names = {(p.level, p.colour, p.band): starts[i] for i, p in enumerate(planes)}
    seen = neighbours_at(3, 24, planes, planes.index(planes[0]), np.array([1]), np.array([2]))
    assert (planes[0].level, planes[0].colour, planes[0].band) == (0, 1, 3)
    own, parent = names[0, 1, 3], names[1, 1, 3]
    before, horizontal, vertical = names[0, 0, 3], names[0, 1, 1], names[0, 1, 2]
    here = 4 * 1 + 2
    assert seen.index[:, 0].tolist() == [
        own + here - 1, own + here - 4, parent + 1, before + here,
        horizontal + here, vertical + here, own + here - 5, own + here - 3,
        before + here, own + here - 1, own + here - 4, parent + 3,
        parent + 0, own + here - 2, 0, parent + 1,
        before + here - 1, before + here + 1, before + here - 4, before + here + 4,
        0, 0, own + here - 6, 0,
    ]  # fmt: skip
    assert np.flatnonzero(~seen.magnitude).tolist() == [8, 9, 10, 15, 21]


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

"""The layers of a labeler: what they ask of a decoder, how a header lists them, what is refused."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labeler_shapes import labeler_layers

from ddcodec.errors import FormatError
from ddcodec.format.labeler_layers import (
    LabelerLayer,
    LabelerShape,
    layer_numbers,
    read_layers,
)

_LAYERS = (
    LabelerLayer(4, 5),
    LabelerLayer(6, 3, pooled=True),
    LabelerLayer(6, 1, skip=1),
    LabelerLayer(2, 3, pooled=True),
)
_SHAPE = LabelerShape(_LAYERS, (3, 11, 9), 10)


def test_sizes() -> None:
    """Kernels keep the size, pooling halves it and rounds down."""
    assert _SHAPE.sizes == ((3, 11, 9), (4, 11, 9), (6, 5, 4), (6, 5, 4), (2, 2, 2))


def test_tensors_in_the_order_of_the_file() -> None:
    """Weights, gains and biases of each layer, then those of the output."""
    assert list(_SHAPE.tensor_shapes().items()) == [
        ("labeler.0.weight", (4, 3, 5, 5)),
        ("labeler.0.gain", (4,)),
        ("labeler.0.bias", (4,)),
        ("labeler.1.weight", (6, 4, 3, 3)),
        ("labeler.1.gain", (6,)),
        ("labeler.1.bias", (6,)),
        ("labeler.2.weight", (6, 6, 1, 1)),
        ("labeler.2.gain", (6,)),
        ("labeler.2.bias", (6,)),
        ("labeler.3.weight", (2, 6, 3, 3)),
        ("labeler.3.gain", (2,)),
        ("labeler.3.bias", (2,)),
        ("labeler.out.weight", (10, 2)),
        ("labeler.out.gain", (10,)),
        ("labeler.out.bias", (10,)),
    ]
    assert _SHAPE.num_weights == 308 + 228 + 48 + 112 + 40


def test_work() -> None:
    """Products count at every position before pooling."""
    assert _SHAPE.macs_per_image == 99 * 300 + 99 * 216 + 20 * 36 + 20 * 108 + 20
    # Padded inputs, what every kernel sees, and the sums twice.
    assert _SHAPE.values_per_image == sum((
        3 * 15 * 13 + 99 * (3 * 25 + 8),
        4 * 13 * 11 + 99 * (4 * 9 + 12),
        6 * 5 * 4 + 20 * (6 + 12),
        6 * 7 * 6 + 20 * (6 * 9 + 4),
    ))  # fmt: skip
    outputs = 297 + 396 + 120 + 120 + 8
    assert _SHAPE.working_bytes == 8 * (outputs + 585 + 99 * 83)


@given(st.data(), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
def test_number_of_weights_is_that_of_the_tensors(
    data: st.DataObject, height: int, width: int, channels: int
) -> None:
    """The total that is bounded is the number of weights that are read."""
    shape = LabelerShape(data.draw(labeler_layers(height, width)), (channels, height, width), 7)
    assert shape.num_weights == sum(map(prod, shape.tensor_shapes().values()))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "0 layers; between 1 and 64"),
        ((LabelerLayer(1, 1),) * 65, "65 layers; between 1 and 64"),
        ((LabelerLayer(0, 1),), "layer 0 has 0 channels"),
        ((LabelerLayer(1, 1), LabelerLayer(1025, 1)), "layer 1 has 1025 channels"),
        ((LabelerLayer(1, 0),), "kernel of 0"),
        ((LabelerLayer(1, 2),), "kernel of 2"),
        ((LabelerLayer(1, 7),), "kernel of 7"),
        ((LabelerLayer(1, 1, pooled=True),) * 3, "layer 2 has no pixels left to pool"),
        ((LabelerLayer(3, 1, skip=1),), "layer 0 adds an output"),
        ((LabelerLayer(3, 1), LabelerLayer(3, 1, skip=2)), "layer 1 adds an output"),
        ((LabelerLayer(3, 1), LabelerLayer(3, 1, skip=1 << 62)), "layer 1 adds an output"),
        ((LabelerLayer(3, 1), LabelerLayer(3, 1, skip=-1)), "layer 1 adds an output"),
        ((LabelerLayer(2, 1), LabelerLayer(3, 1, skip=1)), "layer 1 adds an output"),
        ((LabelerLayer(3, 1), LabelerLayer(3, 1, True, skip=1)), "layer 1 adds an output"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers: tuple[LabelerLayer, ...], message: str) -> None:
    """What version 1 does not have, or what does not fit, is named with its layer."""
    with pytest.raises(FormatError, match=message):
        LabelerShape(layers, (3, 5, 7), 2)


def test_extreme_layers_are_accepted() -> None:
    """64 layers, 1024 channels, a large kernel on a single pixel, a skip over all but the first."""
    wide = (LabelerLayer(1024, 5),) * 63 + (LabelerLayer(1024, 1, skip=63),)
    shape = LabelerShape(wide, (1, 1, 1), 1)
    assert shape.num_weights == (
        1024 * 27 + 62 * 1024 * (1024 * 25 + 2) + 1024 * (1024 + 2) + 1024 + 2
    )


def test_numbers_of_a_header() -> None:
    """The count, then channels, kernel, pooled and skip of each layer."""
    numbers = [4, 4, 5, 0, 0, 6, 3, 1, 0, 6, 1, 0, 1, 2, 3, 1, 0]
    assert layer_numbers(_LAYERS) == numbers
    assert read_layers(iter(numbers).__next__) == _LAYERS


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([65], "65 labeler layers; at most 64"),
        ([1 << 62], "labeler layers; at most 64"),
        ([1, 4, 3, 2, 0], "layer 0 is pooled 2 times"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers: list[int], message: str) -> None:
    """A count beyond 64 is refused before anything else is read."""
    with pytest.raises(FormatError, match=message):
        read_layers(iter(numbers).__next__)

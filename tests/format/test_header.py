"""Header fields: their order, their bytes, their totals."""

from dataclasses import replace
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labeler_shapes import labeler_layers
from sample_content import sample_header

from ddcodec.codec.stream import context_of, synthesis_of
from ddcodec.errors import FormatError
from ddcodec.format.header import CONTEXT_WIDTHS, Header
from ddcodec.format.header_bytes import parse_header, serialize_header
from ddcodec.format.labeler_layers import LabelerLayer


def test_literal_bytes() -> None:
    """Every field stands where docs/format.md says."""
    header = sample_header(
        num_classes=10,
        num_images=300,
        height=32,
        width=28,
        channels=3,
        num_levels=6,
        num_sets=4,
        context_id=2,
        context_width=16,
        context_depth=2,
        synthesis_widths=(160, 40),
        mean=(125, 123, 114),
        std=(63, 62, 256),
        hints=((5, 7), (129, 0)),
    )
    expected = "0a ac02 20 1c 03 06 04 02 10 02 01 00 02 a001 28 7d7b72 3f3e8002 02 0507 810100"
    assert serialize_header(header) == bytes.fromhex(expected)


def test_literal_bytes_with_a_labeler() -> None:
    """The layers follow the hints: their number, then four numbers for each."""
    layers = (LabelerLayer(200, 5, pooled=True), LabelerLayer(16, 3), LabelerLayer(16, 1, skip=1))
    header = sample_header(label_mode=2, labeler_layers=layers, hints=((1, 9),))
    expected = "02 03 07 05 01 02 01 01 08 01 01 02 01 04 8001 40 01 0109"
    expected += "03 c801050100 10030000 10010001"
    assert serialize_header(header) == bytes.fromhex(expected)
    assert parse_header(bytes.fromhex(expected), False) == header


def test_soft_labels_add_no_field() -> None:
    """Soft labels are told from hard ones by the label mode alone."""
    hard, soft = (serialize_header(sample_header(label_mode=mode)) for mode in (0, 1))
    assert soft == hard[:11] + b"\x01" + hard[12:]


@st.composite
def headers(draw: st.DrawFn) -> Header:
    """Draw any header of version 1 that stays within the totals."""
    num_classes = draw(st.integers(1, 300))
    channels = draw(st.sampled_from([1, 3]))
    small = st.integers(0, 2**63 - 1)
    context_id, synthesis_id = draw(st.sampled_from([(1, 1), (2, 1), (3, 2), (3, 3), (4, 4)]))
    fewest = 1 if synthesis_id == 1 else 0
    height, width = draw(st.integers(1, 512)), draw(st.integers(1, 512))
    label_mode = draw(st.integers(0, 2))
    return sample_header(
        num_classes=num_classes,
        num_images=draw(st.integers(1, 300)),
        height=height,
        width=width,
        channels=channels,
        num_levels=draw(st.integers(1, 9)),
        num_sets=draw(st.integers(1, num_classes)),
        context_id=context_id,
        synthesis_id=synthesis_id,
        context_width=draw(st.sampled_from(CONTEXT_WIDTHS)),
        context_depth=draw(st.integers(1, 8)),
        synthesis_widths=tuple(draw(st.lists(st.integers(1, 40), min_size=fewest, max_size=8))),
        mean=tuple(draw(st.integers(0, 256)) for _ in range(channels)),
        std=tuple(draw(st.integers(1, 256)) for _ in range(channels)),
        hints=tuple(draw(st.lists(st.tuples(small, small), max_size=64))),
        has_class_names=draw(st.booleans()),
        label_mode=label_mode,
        labeler_layers=draw(labeler_layers(height, width)) if label_mode == 2 else (),
    )


@given(headers())
def test_round_trip(header: Header) -> None:
    """What is written is read back."""
    assert parse_header(serialize_header(header), header.has_class_names) == header


@given(headers(), st.data())
def test_truncated_fields_are_refused(header: Header, data: st.DataObject) -> None:
    """No proper beginning of the fields is a header."""
    fields = serialize_header(header)
    length = data.draw(st.integers(0, len(fields) - 1))
    with pytest.raises(FormatError):
        parse_header(fields[:length], header.has_class_names)


@given(headers())
def test_number_of_weights_matches_the_networks(header: Header) -> None:
    """The total that is bounded is the number of weights that are read."""
    shapes = context_of(header).tensor_shapes() | synthesis_of(header).tensor_shapes()
    assert header.weights_per_set == sum(map(prod, shapes.values()))
    labels = {0: 0, 1: 2 * header.num_classes**2, 2: 0}[header.label_mode]
    if header.labeler:
        labels = sum(map(prod, header.labeler.tensor_shapes().values()))
    assert header.num_weights == header.num_sets * header.weights_per_set + labels


def test_pixels_have_one_level_and_no_layers() -> None:
    """Whatever else a header of pixels says is refused."""
    header = sample_header(context_id=4, synthesis_id=4, channels=3)
    assert [(plane.colour, plane.rows, plane.columns) for plane in header.planes] == [
        (2, 7, 5), (1, 7, 5), (0, 7, 5)
    ]  # fmt: skip
    for change in ({"num_levels": 2}, {"synthesis_widths": (4,)}):
        with pytest.raises(FormatError, match="one level"):
            replace(header, **change)


def test_level_shapes_and_totals() -> None:
    """Levels halve with rounding up; totals follow from them."""
    header = sample_header(height=96, width=13, num_levels=6, num_images=7, channels=3)
    shapes = [(plane.rows, plane.columns) for plane in header.planes]
    assert shapes == [(96, 13), (48, 7), (24, 4), (12, 2), (6, 1), (3, 1)]
    assert header.positions_per_image == 1248 + 336 + 96 + 24 + 6 + 3 == 1713
    assert header.num_symbols == 7 * 1713


def test_labels_are_part_of_the_totals() -> None:
    """Logits and the weights of a labeler come on top of the numbers of the images."""
    hard = sample_header(num_classes=5, num_images=40)
    soft = replace(hard, label_mode=1)
    assert soft.num_label_symbols == 200
    layers = (LabelerLayer(2, 3, pooled=True), LabelerLayer(3, 1))
    labeler = replace(hard, label_mode=2, labeler_layers=layers)
    assert labeler.num_label_symbols == 0
    weights = (18 + 4) + (6 + 6) + (15 + 10)
    assert labeler.num_weights - hard.num_weights == weights
    assert soft.num_weights - hard.num_weights == 2 * 25


@pytest.mark.parametrize(
    "change",
    [
        {"num_classes": 0},
        {"label_mode": 3},
        {"label_mode": -1},
        {"label_mode": 2},
        {"label_mode": 0, "labeler_layers": (LabelerLayer(1, 1),)},
        {"label_mode": 1, "labeler_layers": (LabelerLayer(1, 1),)},
        {"label_mode": 2, "labeler_layers": (LabelerLayer(1, 1, skip=1),)},
        {"label_mode": 2, "labeler_layers": (LabelerLayer(1024, 5),) * 2},
        {"label_mode": 1, "num_classes": 3000},
        {"label_mode": 1, "num_classes": 300, "num_images": 1 << 20},
        {"num_sets": 3},
        {"channels": 2},
        {"context_width": 9},
        {"synthesis_widths": ()},
        {"synthesis_id": 2},
        {"context_id": 3},
        {"synthesis_id": 4},
        {"context_id": 4},
        {"std": (0,)},
        {"num_images": 1 << 20, "height": 512, "width": 512},
    ],
)
def test_encoder_cannot_build_an_invalid_header(change: dict[str, object]) -> None:
    """A header object is checked when it is made, whoever makes it."""
    with pytest.raises(FormatError):
        sample_header(**change)

"""Whole files: any header, any content, there and back; nothing half-written."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labeler_shapes import labeler_layers
from sample_content import sample_content, sample_header

from ddcodec.codec.checksum import content_checksum, label_bytes, soft_label_bytes, symbol_bytes
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import (
    encode_content,
    encode_payload,
    encoded_size_bytes,
)
from ddcodec.codec.labels.class_counts import labels_of
from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.codec.stream import Content
from ddcodec.errors import DdcError, FormatError
from ddcodec.format.header import CONTEXT_WIDTHS, Header
from ddcodec.format.labeler_layers import LabelerLayer


@st.composite
def contents(draw: st.DrawFn) -> tuple[Header, Content]:
    """Draw a small training set."""
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4).filter(any))
    num_classes = len(counts)
    num_sets = draw(st.integers(1, num_classes))
    context_id, synthesis_id = draw(st.sampled_from([(1, 1), (2, 1), (3, 2), (3, 3), (4, 4)]))
    fewest = 1 if synthesis_id == 1 else 0
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    label_mode = draw(st.integers(0, 2))
    header = sample_header(
        num_classes=num_classes,
        num_images=sum(counts),
        height=height,
        width=width,
        channels=draw(st.sampled_from([1, 3])),
        num_levels=draw(st.integers(1, 9)),
        num_sets=num_sets,
        context_id=context_id,
        synthesis_id=synthesis_id,
        context_width=draw(st.sampled_from(CONTEXT_WIDTHS)),
        context_depth=draw(st.integers(1, 3)),
        synthesis_widths=tuple(draw(st.lists(st.integers(1, 9), min_size=fewest, max_size=3))),
        has_class_names=draw(st.booleans()),
        label_mode=label_mode,
        labeler_layers=draw(labeler_layers(height, width)) if label_mode == 2 else (),
    )
    if num_sets == num_classes:
        class_sets = list(range(num_classes))
    else:
        numbers = st.integers(0, num_sets - 1)
        class_sets = draw(st.lists(numbers, min_size=num_classes, max_size=num_classes))
    content = sample_content(
        header,
        draw(st.integers(0, 10**6)),
        class_counts=counts,
        class_sets=class_sets,
        spread=draw(st.sampled_from([0, 1, 30, 3000])),
    )
    return header, content


@settings(max_examples=30)
@given(contents())
def test_round_trip(drawn: tuple[Header, Content]) -> None:
    """A decoded file holds what was encoded and encodes to the same bytes."""
    header, content = drawn
    encoded = encode_content(header, content)
    decoded = decode_bytes(encoded.data)
    assert decoded.header == header
    assert decoded.content.class_names == content.class_names
    assert np.array_equal(decoded.content.class_sets, content.class_sets)
    assert (
        decoded.labels.tolist()
        == np.repeat(np.arange(header.num_classes), content.class_counts).tolist()
    )
    assert len(decoded.content.networks) == len(content.networks)
    for expected, network in zip(
        (*content.networks, content.labeler or {}),
        (*decoded.content.networks, decoded.content.labeler or {}),
        strict=True,
    ):
        assert list(expected) == list(network)
        for name, tensor in expected.items():
            assert np.array_equal(tensor.integers, network[name].integers)
            assert tensor.step_exponent == network[name].step_exponent
    written, read = content.soft_labels, decoded.content.soft_labels
    if written is None:
        assert read is None
    else:
        assert read is not None and read.step_exponent == written.step_exponent
        for part in ("logits", "loc", "scale"):
            assert np.array_equal(getattr(read, part), getattr(written, part))
    assert symbol_bytes(decoded.content) == symbol_bytes(content)
    assert encode_content(decoded.header, decoded.content).data == encoded.data
    assert encoded_size_bytes(header, content) == len(encoded.data)
    assert decoded.section_bits.keys() == encoded.section_bits.keys()
    assert decoded.section_bits == pytest.approx(encoded.section_bits)


def test_sections_add_up_to_the_payload() -> None:
    """The bits of all parts are the payload but for the last words of the coder."""
    header = sample_header(num_images=10, height=20, width=20, has_class_names=True)
    payload, section_bits = encode_payload(header, sample_content(header, 5))
    assert 0 <= len(payload) - sum(section_bits.values()) / 8 <= 8
    assert list(section_bits) == [
        "labels", "class names", "context", "upsampling", "synthesis", "latents 1", "latents 0",
    ]  # fmt: skip


def test_content_checksum_order() -> None:
    """The checksum covers symbols, coarse level first, then labels, then pixels."""
    header = sample_header(num_classes=3, num_images=4, num_sets=2, height=3, width=2)
    content = sample_content(header, 8, class_sets=[1, 0, 1])
    images = np.arange(4 * 6, dtype=np.uint8).reshape(4, 1, 3, 2)
    symbols = b"".join(
        value.to_bytes(2, "little", signed=True)
        for levels in content.latents
        for plane in (levels[1], levels[0])
        for value in plane.reshape(-1).tolist()
    )
    expected = zlib.crc32(symbols + b"\0\0\0\0\1\0\2\0" + bytes(range(24)))
    assert label_bytes(np.array([0, 0, 1, 2])) == b"\0\0\0\0\1\0\2\0"
    assert content_checksum(header, content, images) == expected


def test_content_checksum_of_soft_labels() -> None:
    """All logits follow the pixels, 16 bits each."""
    header = sample_header(num_classes=2, num_images=3, label_mode=1)
    content = sample_content(header, 8)
    images = np.zeros((3, 1, 7, 5), dtype=np.uint8)
    soft = content.soft_labels
    assert soft is not None
    soft.logits[:] = [[1, -2], [300, 0], [-32768, 32767]]
    alone = zlib.crc32(symbol_bytes(content) + b"\0\0\0\0\1\0" + bytes(105))
    assert soft_label_bytes(header, content, images).hex() == "0100feff2c0100000080ff7f"
    logits = bytes.fromhex("0100feff2c0100000080ff7f")
    assert content_checksum(header, content, images) == zlib.crc32(logits, alone)


@pytest.mark.parametrize(
    ("num_images", "probes"),
    [
        (1, [0]),
        (5, [0, 1, 2, 3, 4]),
        (16, list(range(16))),
        (20, [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18]),
    ],
)
def test_content_checksum_of_a_labeler(num_images: int, probes: list[int]) -> None:
    """At most sixteen images are asked for, evenly spread; 32 bits for each logit."""
    header = sample_header(
        num_images=num_images, label_mode=2, labeler_layers=(LabelerLayer(1, 1),)
    )
    content = sample_content(header, 8)
    # Every image is flat; its logits are 32 times its grey level above the middle, and less it.
    numbers = {"0.weight": [[[[1]]]], "out.weight": [[1], [-1]]}
    numbers |= {"0.gain": [1], "0.bias": [0], "out.gain": [1, 1], "out.bias": [0, 0]}
    tensors = {
        f"labeler.{name}": QuantizedTensor(np.array(value), 0) for name, value in numbers.items()
    }
    content = replace(content, labeler=tensors)
    images = np.arange(129, 129 + num_images, dtype=np.uint8)[:, None, None, None]
    images = np.broadcast_to(images, (num_images, 1, 7, 5))
    expected = b"".join(
        (sign * 32 * (1 + probe)).to_bytes(4, "little", signed=True)
        for probe in probes
        for sign in (1, -1)
    )
    assert soft_label_bytes(header, content, images) == expected
    alone = zlib.crc32(
        symbol_bytes(content) + label_bytes(labels_of(content.class_counts)) + images.tobytes()
    )
    assert content_checksum(header, content, images) == zlib.crc32(expected, alone)


def test_labels_have_sections_of_their_own() -> None:
    """The bits of a labeler are counted apart, those of soft labels with the labels."""
    shared = {"num_images": 10, "height": 20, "width": 20}
    parts = []
    layers = (LabelerLayer(4, 3),)
    for facts in ({}, {"label_mode": 1}, {"label_mode": 2, "labeler_layers": layers}):
        header = sample_header(**shared, **facts)
        payload, section_bits = encode_payload(header, sample_content(header, 5))
        assert 0 <= len(payload) - sum(section_bits.values()) / 8 <= 8
        parts.append(section_bits)
    assert list(parts[0]) == list(parts[1]) == [part for part in parts[2] if part != "labeler"]
    # One bit for equal classes; then 20 logits and their tables.
    assert parts[0]["labels"] == pytest.approx(1, abs=1e-5)
    assert 100 < parts[1]["labels"] < 500
    # 56 numbers, half of them 0.
    assert 100 < parts[2]["labeler"] < 300


def test_a_labeler_that_is_not_exact_is_not_written() -> None:
    """The encoder refuses weights that no decoder accepts."""
    header = sample_header(label_mode=2, labeler_layers=(LabelerLayer(1, 1),))
    content = sample_content(header, 8)
    assert content.labeler is not None
    huge = QuantizedTensor(np.full((1, 1, 1, 1), 1 << 29), 0)
    broken = replace(content, labeler=content.labeler | {"labeler.0.weight": huge})
    with pytest.raises(FormatError, match="labeler exceeds exact arithmetic"):
        encode_content(header, broken)


def test_images_are_sorted_by_class_over_all_sets() -> None:
    """Images of a set return to the places of their classes."""
    header = sample_header(num_classes=3, num_images=3, num_sets=2)
    content = sample_content(header, 9, class_sets=[1, 0, 1])
    decoded = decode_bytes(encode_content(header, content).data)
    alone = sample_header(num_classes=1, num_images=2)
    only = Content(np.array([2]), None, np.array([0]), content.networks[1:], content.latents[1:])
    expected = decode_bytes(encode_content(alone, only).data).images
    assert np.array_equal(decoded.images[[0, 2]], expected)


def test_classes_without_names_are_numbered() -> None:
    """Numbers stand in for names that are not kept, all of one length."""
    header = sample_header(num_classes=11, num_images=11)
    decoded = decode_bytes(encode_content(header, sample_content(header, 2)).data)
    assert decoded.class_names[:2] == ("00", "01") and decoded.class_names[-1] == "10"
    assert decoded.content.class_names is None


def test_symbols_out_of_range_are_not_written() -> None:
    """A latent beyond 16 bits cannot slip into a file."""
    header = sample_header()
    content = sample_content(header, 3)
    wide = [plane.astype(np.int64) for plane in content.latents[0]]
    wide[0][0, 0, 0] = 40_000
    broken = Content(content.class_counts, None, content.class_sets, content.networks, (wide,))
    with pytest.raises((DdcError, ValueError)):
        encode_content(header, broken)


def test_encoder_checks_its_own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that does not decode to what was encoded is never returned."""
    header = sample_header()
    content = sample_content(header, 3)
    monkeypatch.setattr("ddcodec.codec.encode.content_checksum", lambda *_: 12345)
    with pytest.raises(FormatError, match="checksum"):
        encode_content(header, content)

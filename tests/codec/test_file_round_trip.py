"""Whole files: any header, any content, there and back; nothing half-written."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_content import sample_content, sample_header

from ddcodec.codec.decode import content_checksum, decode_bytes, label_bytes, symbol_bytes
from ddcodec.codec.encode import (
    encode_content,
    encode_payload,
    encoded_size_bytes,
    write_atomically,
)
from ddcodec.codec.stream import Content
from ddcodec.errors import DdcError, FormatError, OutputError
from ddcodec.format.header import CONTEXT_WIDTHS, Header


@st.composite
def contents(draw: st.DrawFn) -> tuple[Header, Content]:
    """Draw a small training set."""
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4).filter(any))
    num_classes = len(counts)
    num_sets = draw(st.integers(1, num_classes))
    context_id, synthesis_id = draw(st.sampled_from([(1, 1), (2, 1), (3, 2), (3, 3), (4, 4)]))
    fewest = 1 if synthesis_id == 1 else 0
    header = sample_header(
        num_classes=num_classes,
        num_images=sum(counts),
        height=draw(st.integers(1, 12)),
        width=draw(st.integers(1, 12)),
        channels=draw(st.sampled_from([1, 3])),
        num_levels=draw(st.integers(1, 9)),
        num_sets=num_sets,
        context_id=context_id,
        synthesis_id=synthesis_id,
        context_width=draw(st.sampled_from(CONTEXT_WIDTHS)),
        context_depth=draw(st.integers(1, 3)),
        synthesis_widths=tuple(draw(st.lists(st.integers(1, 9), min_size=fewest, max_size=3))),
        has_class_names=draw(st.booleans()),
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
    for expected, network in zip(content.networks, decoded.content.networks, strict=True):
        assert list(expected) == list(network)
        for name, tensor in expected.items():
            assert np.array_equal(tensor.integers, network[name].integers)
            assert tensor.step_exponent == network[name].step_exponent
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
    labels = np.array([0, 0, 1, 2])
    images = np.arange(4 * 6, dtype=np.uint8).reshape(4, 1, 3, 2)
    symbols = b"".join(
        value.to_bytes(2, "little", signed=True)
        for levels in content.latents
        for plane in (levels[1], levels[0])
        for value in plane.reshape(-1).tolist()
    )
    expected = zlib.crc32(symbols + b"\0\0\0\0\1\0\2\0" + bytes(range(24)))
    assert label_bytes(labels) == b"\0\0\0\0\1\0\2\0"
    assert content_checksum(content, labels, images) == expected


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


def test_write_atomically(tmp_path: Path) -> None:
    """A file appears complete, replaces an older one, and nothing else is left."""
    path = tmp_path / "a.ddc"
    write_atomically(b"first", path)
    write_atomically(b"second", path)
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last step fails the old file stays and no partial one does."""
    path = tmp_path / "a.ddc"
    path.write_bytes(b"old")

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        write_atomically(b"new", path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    """A missing folder, or a folder in the way, gives one sentence and no partial file."""
    with pytest.raises(OutputError, match="Cannot write"):
        write_atomically(b"data", tmp_path / "missing" / "a.ddc")
    (tmp_path / "a.ddc").mkdir()
    with pytest.raises(OutputError, match="Cannot write"):
        write_atomically(b"data", tmp_path / "a.ddc")
    assert [path.name for path in tmp_path.iterdir()] == ["a.ddc"]

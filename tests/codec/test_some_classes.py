"""Some classes of a file alone: the same pixels, and nothing else drawn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_content import sample_content, sample_header

from ddcodec.codec import decode
from ddcodec.codec.decode import decode_bytes, decode_symbols
from ddcodec.codec.encode import encode_content
from ddcodec.codec.latents import LatentCoder
from ddcodec.codec.renditions import draw_renditions
from ddcodec.codec.synthesis import Synthesis
from ddcodec.entropy.range_coder import RangeDecoder
from ddcodec.errors import FormatError
from ddcodec.format.container import pack_container, unpack_container

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.ddc"))


def _in_three_sets() -> bytes:
    """Return a file of five classes, of which 0 and 2, 1 and 4, and 3 share networks."""
    header = sample_header(num_classes=5, num_images=9, num_sets=3, height=8, width=6)
    content = sample_content(header, 3, class_counts=[2, 3, 0, 3, 1], class_sets=[0, 1, 0, 2, 1])
    return encode_content(header, content).data


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_class_of_every_kind_of_file(path: Path) -> None:
    """A class alone has the pixels and the label that it has in the whole."""
    whole = decode_bytes(path.read_bytes())
    for number in range(whole.header.num_classes):
        part = decode_bytes(path.read_bytes(), classes=[number])
        chosen = np.flatnonzero(whole.labels == number)
        assert part.labels.tolist() == [number] * len(chosen)
        assert part.numbers.tolist() == chosen.tolist()
        assert np.array_equal(part.images, whole.images[chosen])
        assert part.class_names == whole.class_names


@settings(max_examples=30)
@given(st.sets(st.integers(0, 4), min_size=1), st.sampled_from([1, 100, 1 << 20]))
def test_any_classes_of_several_sets(classes: set[int], batch_pixels: int) -> None:
    """However sets alternate, and however few images are drawn at a time."""
    data = _in_three_sets()
    whole = decode_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "BATCH_PIXELS", batch_pixels)
        part = decode_bytes(data, classes=sorted(classes))
    chosen = np.isin(whole.labels, list(classes))
    assert np.array_equal(part.images, whole.images[chosen])
    assert np.array_equal(part.labels, whole.labels[chosen])


@pytest.mark.parametrize(("classes", "planes"), [("0", 1), ("2", 1), ("4", 2), ("0,3", 3)])
def test_latents_of_later_sets_are_not_read(
    classes: str, planes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one stream the beginning is read, up to the last set that somebody wants."""
    data = _in_three_sets()
    read: list[int] = []
    code = LatentCoder.code

    def counting(self: LatentCoder, coder: RangeDecoder, number: int, latents: None) -> object:
        read.append(number)
        return code(self, coder, number, latents)

    monkeypatch.setattr(LatentCoder, "code", counting)
    symbols = decode_symbols(data, classes=classes)
    assert len(read) == planes * len(symbols.header.planes)
    kept = [len(latents[0]) for latents in symbols.content.latents]
    assert kept == [2, 4, 3][:planes] + [0] * (3 - planes)


def test_pixels_of_other_classes_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks draw as many images as are asked for."""
    data = _in_three_sets()
    drawn: list[int] = []
    exact = decode.synthesis_of(decode_symbols(data).header).__class__.exact

    def counting(self: Synthesis, tensors: object) -> object:
        decoder = exact(self, tensors)

        class Counting:
            def decode(self, latents: list[np.ndarray]) -> np.ndarray:
                drawn.append(len(latents[0]))
                return decoder.decode(latents)

        return Counting()

    monkeypatch.setattr(type(decode.synthesis_of(decode_symbols(data).header)), "exact", counting)
    assert len(decode_bytes(data, classes="3-4").images) == 4
    assert sorted(drawn) == [1, 3]


def test_renditions_of_some_images_are_those_of_the_whole() -> None:
    """Details depend on all images of a set, also of those that are not drawn."""
    data = _in_three_sets()
    whole = decode_bytes(data)
    part = decode_bytes(data, classes="1")
    drawn = draw_renditions(whole.header, whole.content, 3)
    some = draw_renditions(part.header, part.content, 3, numbers=part.numbers)
    assert np.array_equal(some, drawn[:, 2:5])


def test_damage_is_found_as_far_as_it_concerns_what_is_drawn() -> None:
    """The outer checksum is always compared, that of the content for whole files only."""
    data = _in_three_sets()
    with pytest.raises(FormatError, match="checksum"):
        decode_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], classes="0")
    container = unpack_container(data)
    other = pack_container(container.header, container.payload, container.content_crc ^ 1)
    with pytest.raises(FormatError, match="does not match its checksum"):
        decode_bytes(other)
    assert len(decode_bytes(other, classes="0").images) == 2
    short = pack_container(container.header, container.payload[:-4], container.content_crc)
    with pytest.raises(FormatError, match="damaged"):
        decode_bytes(short, classes="3")


def test_a_labeler_is_proven_exact_all_the_same() -> None:
    """A file whose labeler cannot be exact is refused, whatever is drawn of it."""
    decoded = decode_bytes(GOLDEN[0].with_name("labeler.ddc").read_bytes())
    assert decoded.content.labeler is not None
    name = "labeler.0.weight"
    weights = decoded.content.labeler[name]
    huge = replace(weights, integers=np.full_like(weights.integers, 32_767 << 15))
    content = replace(decoded.content, labeler={**decoded.content.labeler, name: huge})
    with pytest.raises(FormatError, match="exact"):
        decode._drawn_alone(replace(decoded, content=content), np.array([0]))

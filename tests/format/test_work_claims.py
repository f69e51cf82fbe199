"""What a header claims: counts of the loops it chooses, and how they grow."""

from dataclasses import replace

import pytest
from sample_content import sample_header

from ddcodec.codec import latents, surroundings
from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.stream import synthesis_of
from ddcodec.codec.wavelet import refinement
from ddcodec.format import claims, pixel_claims
from ddcodec.format.claims import (
    decoding_claim,
    drawing_claim,
    exporting_claim,
    labelling_claim,
    num_tensors,
    num_waves,
    options_to_read,
    sheet_claim,
)
from ddcodec.format.labeler_layers import LabelerLayer
from ddcodec.format.pixel_claims import num_chunks, pixel_counts
from ddcodec.format.planes import Plane
from ddcodec.format.prices import TIME
from ddcodec.format.student_recipe import StudentRecipe

HEADERS = {
    "pyramid": sample_header(synthesis_widths=(4, 3)),
    "wavelet": sample_header(context_id=3, synthesis_id=2, synthesis_widths=(4,), channels=3),
    "plain": sample_header(context_id=3, synthesis_id=2, synthesis_widths=(), context_depth=3),
    "pixels": sample_header(context_id=4, synthesis_id=4),
}


def test_sizes_of_the_decoder() -> None:
    """Claims count in the steps in which the decoder really works."""
    assert claims.INPUT_COLUMNS == latents.CHUNK_COLUMNS
    assert pixel_claims.CHUNK_POSITIONS == surroundings.CHUNK_PIXELS
    assert pixel_claims.CHUNK_VALUES == refinement.CHUNK_VALUES


@pytest.mark.parametrize("name", HEADERS)
def test_tensors(name: str) -> None:
    """The tensors of a set are those that the decoder reads."""
    header = HEADERS[name]
    context = ContextModel(
        header.context_id, header.context_width, header.context_depth, header.planes
    )
    shapes = context.tensor_shapes() | synthesis_of(header).tensor_shapes()
    assert num_tensors(header) == len(shapes)


@pytest.mark.parametrize(
    ("rows", "columns", "waves"), [(1, 1, 1), (1, 9, 9), (4, 1, 10), (5, 7, 19), (0, 7, 0)]
)
def test_waves(rows: int, columns: int, waves: int) -> None:
    """A plane takes as many steps as there are values of x + 3 y."""
    assert num_waves(Plane(0, 0, 0, rows, columns, "")) == waves
    assert len({x + 3 * y for x in range(columns) for y in range(rows)}) <= waves


def test_calls_of_decoders() -> None:
    """A window of 2^20 positions asks each set once, a decoder takes 2^15 at a time."""
    header = sample_header(num_classes=4, num_images=4000, height=32, width=32)
    assert num_chunks(header) == 4 * 1 + 125
    assert num_chunks(replace(header, num_sets=4)) == 4 * 4 + 125
    assert num_chunks(replace(header, num_images=2, num_sets=4)) == 2
    assert num_chunks(replace(header, num_images=5, height=512, width=512)) == 2 + 5


def test_work_on_pixels() -> None:
    """Multiply-adds of an image, by hand."""
    assert pixel_counts(HEADERS["pixels"]).macs == 0
    wavelet = sample_header(
        context_id=3, synthesis_id=2, synthesis_widths=(4,), num_levels=1, height=8, width=6
    )
    assert pixel_counts(wavelet).macs == 48 * (1 + 9 * (4 + 4)) + 48 * (8 + 6)
    pyramid = sample_header(num_levels=2, height=4, width=6, synthesis_widths=(5,))
    doubled = (2 + 4 + 4) * 3 + 4 * (3 + 4 + 6)
    assert pixel_counts(pyramid).macs == 24 * (2 * 5 + 5 * 1 + 18) + 4 * doubled


def test_claims_add_up_and_grow() -> None:
    """Each loop is in one part, and more of it claims more."""
    header = sample_header(num_classes=4, num_images=8)
    claim = decoding_claim(header, 100)
    assert claim.seconds == pytest.approx(sum(claim.seconds_of.values()))
    for part, change in {
        "networks": {"num_sets": 4},
        "latents": {"context_width": 32},
        "pixels": {"synthesis_widths": (400,)},
        "labels": {"label_mode": 1},
        "names": {"has_class_names": True},
    }.items():
        larger = decoding_claim(replace(header, **change), 100)
        assert larger.seconds_of[part] > claim.seconds_of[part], part
        assert larger.memory_bytes >= claim.memory_bytes
    assert decoding_claim(header, 10**6).memory_bytes > claim.memory_bytes


def test_names_and_escapes_end_with_the_payload() -> None:
    """Letters and escapes take bits, of which a small file has few."""
    header = sample_header(num_classes=65_536, num_images=1, has_class_names=True)
    small, large = (decoding_claim(header, size).seconds_of["names"] for size in (36, 1036))
    assert large - small == pytest.approx(8000 // 4 * TIME.letter)


def test_further_work() -> None:
    """Renditions, labels, exports and sheets claim by what is asked for."""
    header = sample_header(
        num_images=50, label_mode=2, labeler_layers=(LabelerLayer(4, 3), LabelerLayer(4, 3))
    )
    assert drawing_claim(header, 500, 8).seconds > 2 * drawing_claim(header, 500, 2).seconds
    assert drawing_claim(header, 500, 8).allowance == 8
    one, two = (labelling_claim(header, count) for count in (1, 2))
    assert (two.seconds, two.memory_bytes) == (2 * one.seconds, 2 * one.memory_bytes)
    decoding = decoding_claim(header, 500).seconds
    exporting = exporting_claim(header, 500, 50).seconds - decoding
    assert exporting == pytest.approx(52 * TIME.export_image + 50 * 35 * TIME.export_byte)
    sheet = sheet_claim(header, 500, 10, 1000).seconds - decoding
    assert sheet == pytest.approx(12 * TIME.sheet_row + 3000 * TIME.sheet_byte)


def test_options_to_read() -> None:
    """A file that its readers must allow more says how much, for the renditions it advises, too."""
    assert options_to_read(sample_header(), 200) == ""
    advised = StudentRecipe(renditions=64).to_hints()
    many = {"num_images": 1500, "height": 128, "width": 128, "num_levels": 5}
    assert options_to_read(sample_header(**many), 187_500) == ""
    drawn = options_to_read(sample_header(**many, hints=advised), 187_500).split()
    assert drawn[::2] == ["--max-seconds", "--max-bytes"]
    drawing = drawing_claim(sample_header(**many), 187_500, 64)
    assert drawing.seconds <= float(drawn[1]) <= 2 * drawing.seconds
    assert drawing.memory_bytes <= 10**6 * float(drawn[3][:-2]) <= 2 * drawing.memory_bytes
    large = sample_header(num_images=1 << 20, height=16, width=16, num_levels=1)
    options = options_to_read(large, 10**6).split()
    assert options[::2] == ["--max-seconds", "--max-bytes"]
    claim = decoding_claim(large, 10**6)
    assert claim.seconds <= float(options[1]) <= 2 * claim.seconds
    assert options[3].endswith("MB")
    assert claim.memory_bytes <= 10**6 * float(options[3][:-2]) <= 2 * claim.memory_bytes

"""Small valid files that ask for much: refused by default with what they claim, bounded if trusted.

Each keeps one loop of a decoder busy. Networks are zeros whose predictions
are so sure that images take no bits.
"""

import re
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_content import sample_header

from ddcodec.codec import decode as decode_module
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import encode_content, encode_payload
from ddcodec.codec.labels.soft_labels import SoftLabels
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.codec.stream import Content, context_of, synthesis_of
from ddcodec.codec.wavelet.exact import ExactWavelet
from ddcodec.errors import FormatError
from ddcodec.export import write_contact_sheet
from ddcodec.format.claims import (
    check_claim,
    decoding_claim,
    drawing_claim,
    exporting_claim,
    labelling_claim,
    options_to_read,
    sheet_claim,
)
from ddcodec.format.container import pack_container, unpack_container
from ddcodec.format.header import Header
from ddcodec.format.labeler_layers import LabelerLayer
from ddcodec.format.limits import UNBOUNDED, DecodeLimits
from ddcodec.format.prices import MEMORY

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.ddc"))
GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.ddc"))


def _zeros(shape: tuple[int, ...]) -> QuantizedTensor:
    return QuantizedTensor(np.zeros(shape, dtype=np.int64), 0)


def _networks(header: Header) -> NetworkTensors:
    shapes = context_of(header).tensor_shapes() | synthesis_of(header).tensor_shapes()
    tensors = {name: _zeros(shape) for name, shape in shapes.items()}
    # The narrowest table: a latent of 0 takes 3 millionths of a bit.
    tensors["context.out.bias"].integers[:, 1] = -5
    return tensors


def _content(header: Header) -> Content:
    counts = np.full(header.num_classes, header.num_images // header.num_classes, dtype=np.int64)
    counts[0] += header.num_images - counts.sum()
    sets = np.arange(header.num_classes, dtype=np.int64) % header.num_sets
    in_set = np.bincount(sets, weights=counts, minlength=header.num_sets).astype(np.int64)
    latents = tuple(
        [np.zeros((count, plane.rows, plane.columns), np.int16) for plane in header.planes]
        for count in in_set
    )
    labeler = None
    if header.labeler is not None:
        labeler = {name: _zeros(shape) for name, shape in header.labeler.tensor_shapes().items()}
    soft = None
    if header.label_mode == 1:
        square = np.zeros((header.num_classes, header.num_classes), dtype=np.int64)
        logits = np.zeros((header.num_images, header.num_classes), dtype=np.int16)
        soft = SoftLabels(logits, 0, square, square - 40)
    networks = (_networks(header),) * header.num_sets
    return Content(counts, None, sets, networks, latents, soft, labeler)


def _claiming(num_bytes: int, **changes: object) -> bytes:
    """Return a file with this header, and a payload that only has the right length."""
    empty = len(pack_container(sample_header(**changes), b"", 0))
    return pack_container(sample_header(**changes), b"\0" * (4 * ((num_bytes - empty) // 4)), 0)


LARGE_LABELER = (LabelerLayer(64, 5),) * 4

ATTACKS: dict[str, tuple[bytes, str]] = {
    "wide pyramid": (
        _claiming(91, num_classes=1, num_images=118_844, height=1, width=1, num_levels=9,
                  synthesis_widths=(2048, 2048)),
        r"9\d bytes claims 118,844 images of 1x1 and about \d+ s of work \(pixels [\d.]+ s\), "
        r"over the 0\.05 s allowed, and about \d+ MB of memory, over the 50 MB allowed; "
        r"give --max-seconds \d+ --max-bytes \d+MB if you trust it\.",
    ),
    "many lines": (
        _claiming(174, num_classes=1, num_images=1 << 20, height=1, width=256, num_levels=1),
        r"17\d bytes claims 1,048,576 images of 1x256 and about \d+ s of work \(.*\), over the "
        r"0\.05 s allowed, and about \d,\d00 MB of memory, over the 50 MB allowed; "
        r"give --max-seconds \d+ --max-bytes \d000MB if you trust it\.",
    ),
    "labeler": (
        _claiming(282, num_classes=1, num_images=16, height=128, width=128, channels=3,
                  num_levels=1, label_mode=2, labeler_layers=LARGE_LABELER),
        r"2\d\d bytes claims 16 images of 128x128 and about \d+ s of work \(labels \d+ s\), over "
        r"the 0\.4\d s allowed, and about \d+ MB of memory, over the 54 MB allowed; "
        r"give --max-seconds \d+ --max-bytes \d00MB if you trust it\.",
    ),
    "large labeler": (
        _claiming(311, num_classes=1, num_images=16, height=512, width=512, channels=3,
                  num_levels=1, label_mode=2, labeler_layers=LARGE_LABELER),
        r"3\d\d bytes claims 16 images of 512x512 and about \d+ s of work .* if you trust it\.",
    ),
    "many sets": (
        _claiming(8500, num_classes=65_536, num_images=65_536, num_sets=30_000, height=1, width=1,
                  num_levels=1),
        r"8,\d\d\d bytes claims 65,536 images of 1x1 and about \d+ s of work \(.*networks .*\), "
        r"over the 10 s allowed, and about .* if you trust it\.",
    ),
    "inputs": (
        _claiming(53, num_classes=1, num_images=300_000, height=1, width=1, num_levels=9,
                  context_width=32),
        r"5\d bytes claims 300,000 images of 1x1 and about .* MB of memory, over the 50 MB "
        r"allowed; give .*--max-bytes \d+MB if you trust it\.",
    ),
    "contact sheet": (
        _claiming(47, num_classes=65_536, num_images=1 << 20, height=1, width=1, num_levels=1),
        r"4\d bytes claims 1,048,576 images of 1x1 and about [\d.]+ s of work \(.*\), over the "
        r"0\.05 s allowed, and about [\d,]+ MB of memory, over the 50 MB allowed; "
        r"give --max-seconds [\d.]+ --max-bytes \d+MB if you trust it\.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused(name: str) -> None:
    """Without an option the file is refused at once, in one sentence of what it claims."""
    data, sentence = ATTACKS[name]
    tracemalloc.start()
    try:
        with pytest.raises(FormatError) as refused:
            decode_bytes(data)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert re.fullmatch(f"This file of {sentence}", str(refused.value)), refused.value
    assert peak_bytes < 200_000


def test_options_of_the_sentence_suffice() -> None:
    """What the sentence names lets the same file through, to what its payload holds."""
    data, _ = ATTACKS["wide pyramid"]
    with pytest.raises(FormatError) as refused:
        unpack_container(data)
    found = re.search(r"--max-seconds (\S+) --max-bytes (\S+)MB", str(refused.value))
    assert found is not None
    seconds, megabytes = map(float, found.groups())
    limits = DecodeLimits(max_seconds=seconds, max_bytes=int(megabytes * 1e6))
    assert unpack_container(data, limits).header.num_images == 118_844


def test_alternating_sets_are_rendered_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes that take turns between two sets cost two calls of a decoder, not one each."""
    header = sample_header(
        num_classes=600, num_images=1200, num_sets=2, height=2, width=2, num_levels=1,
        context_id=3, synthesis_id=2, synthesis_widths=(),
    )  # fmt: skip
    data = encode_content(header, _content(header)).data
    calls: list[int] = []
    decode = ExactWavelet.decode

    def counting(self: ExactWavelet, latents: Sequence[np.ndarray]) -> np.ndarray:
        calls.append(len(latents[0]))
        return decode(self, latents)

    monkeypatch.setattr(ExactWavelet, "decode", counting)
    assert decode_bytes(data).images.shape == (1200, 1, 2, 2)
    assert calls == [600, 600]
    monkeypatch.setattr(decode_module, "BATCH_PIXELS", 4 * 500)
    decode_bytes(data)
    assert calls[2:] == [250, 250, 250, 250, 100, 100]


def test_contact_sheet_of_many_classes(tmp_path: Path) -> None:
    """Drawing looks at each class once; what a sheet takes is refused before it is begun."""
    header = sample_header(num_classes=3000, num_images=3000, height=1, width=1, num_levels=1)
    data = encode_content(header, _content(header)).data
    decoded = decode_bytes(data, UNBOUNDED)
    sheet = tmp_path / "sheet.png"
    with pytest.raises(FormatError, match=r"3,000 images of 1x1 and about .* \(sheet .*ask for le"):
        write_contact_sheet(decoded, sheet, scale=1, limits=DecodeLimits(max_seconds=0.01))
    assert not sheet.exists()
    assert decoded.class_names is decoded.class_names


@pytest.mark.parametrize("path", [*EXAMPLES, *GOLDEN], ids=lambda path: path.stem)
def test_ordinary_files_need_no_option(path: Path) -> None:
    """Every example and golden file claims less than a file of its size may."""
    data = path.read_bytes()
    header = unpack_container(data).header
    claim = decoding_claim(header, len(data))
    assert 0 < claim.seconds < DecodeLimits().seconds_for(len(data))
    assert 0 < claim.memory_bytes < DecodeLimits().bytes_for(len(data))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_usual_work_needs_no_option(path: Path) -> None:
    """Renditions as advised, labels, exports and sheets of every example are within its limits."""
    data = path.read_bytes()
    header, size = unpack_container(data).header, len(data)
    height, width = 2 * header.height + 2, 336 + 20 * (header.width + 1)
    for claim in (
        drawing_claim(header, size, 8),
        labelling_claim(header, header.num_images),
        exporting_claim(header, size, header.num_images),
        exporting_claim(header, size, 8 * header.num_images, 8),
        sheet_claim(header, size, 100, 10 * height * width),
    ):
        check_claim(header, size, DecodeLimits(), claim)


@pytest.mark.parametrize(
    ("num_bytes", "changes"),
    [
        (260, {"num_classes": 2, "num_images": 8, "height": 32, "has_class_names": True,
               "context_depth": 1, "context_width": 8, "synthesis_widths": ()}),
        (100_000, {"num_classes": 10, "num_images": 1620, "height": 32}),
        (1_000_000, {"num_classes": 10, "num_images": 8100, "height": 32,
                     "synthesis_widths": (32,)}),
        (90_000, {"num_classes": 10, "num_images": 570, "height": 128}),
        (90_000, {"num_classes": 10, "num_images": 1000, "height": 128}),
        (187_500, {"num_classes": 10, "num_images": 1500, "height": 128}),
    ],
)  # fmt: skip
def test_usual_sets_need_no_option(num_bytes: int, changes: dict[str, object]) -> None:
    """What `ddc distill` makes in so many bytes claims less than it may, renditions included."""
    usual = {"channels": 3, "num_levels": 5, "synthesis_id": 3, "context_id": 3,
             "context_width": 24, "context_depth": 2, "synthesis_widths": (16,)}  # fmt: skip
    header = sample_header(**(usual | {"width": changes["height"]} | changes))
    assert options_to_read(header, num_bytes) == ""
    check_claim(header, num_bytes, DecodeLimits(), drawing_claim(header, num_bytes, 8))


def test_limits_grow_with_the_file() -> None:
    """200 bytes get 50 ms and 50 MB; what larger files get is as written down."""
    limits = DecodeLimits()
    sizes = (20, 200, 300, 2190, 50_000, 100_000, 10**6, 1 << 26)
    assert [limits.seconds_for(size) for size in sizes] == pytest.approx(
        [0.05, 0.05, 0.55, 10, 22, 42, 60, 60]
    )
    megabytes = [limits.bytes_for(size) // 10**6 for size in sizes]
    assert megabytes == [50, 50, 55, 149, 545, 620, 1000, 1000]
    own = DecodeLimits(max_bytes=7, max_seconds=3)
    assert [own.bytes_for(20), own.bytes_for(10**6)] == [7, 7]
    assert own.seconds_for(10**6) == 3


@st.composite
def _headers(draw: st.DrawFn) -> Header:
    family = draw(st.sampled_from([(1, 1), (1, 2), (2, 3), (3, 3), (4, 4)]))
    num_classes = draw(st.integers(1, 40))
    labels = draw(st.sampled_from([0, 1, 2]))
    layers = draw(st.lists(st.builds(LabelerLayer, st.integers(1, 40), st.sampled_from([1, 3, 5])),
                           min_size=1, max_size=3))  # fmt: skip
    widths = draw(st.lists(st.sampled_from([1, 8, 40, 300]), min_size=1, max_size=2))
    return sample_header(
        num_classes=num_classes,
        num_images=draw(st.integers(1, 3000)),
        height=draw(st.sampled_from([1, 2, 9, 32])),
        width=draw(st.sampled_from([1, 3, 16])),
        channels=draw(st.sampled_from([1, 3])),
        num_levels=draw(st.integers(1, 5)),
        num_sets=draw(st.integers(1, num_classes)),
        synthesis_id=family[0],
        context_id=family[1],
        context_width=draw(st.sampled_from([8, 32])),
        context_depth=draw(st.integers(1, 3)),
        synthesis_widths=tuple(widths),
        label_mode=labels,
        labeler_layers=tuple(layers) if labels == 2 else (),
    )


def _peak_bytes(header: Header) -> tuple[int, int]:
    """Return the size of a file with this header, and the traced memory that decoding it takes."""
    payload, _ = encode_payload(header, _content(header))
    data = pack_container(header, payload, 0)
    del payload
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="does not match its checksum"):
            decode_bytes(data, UNBOUNDED)
        return len(data), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@given(_headers().filter(lambda header: decoding_claim(header, 1000).seconds < 0.1))
@settings(max_examples=12, deadline=None)
def test_claimed_memory_bounds_the_real_peak(header: Header) -> None:
    """Whatever a header says, its claim, without what every file may take, covers the peak."""
    file_bytes, peak_bytes = _peak_bytes(header)
    claimed = decoding_claim(header, file_bytes).memory_bytes - MEMORY.file
    assert peak_bytes < claimed + (3 << 19)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_images": 40_000, "height": 1, "width": 1, "num_levels": 4, "context_width": 32},
        {"num_images": 1000, "height": 16, "width": 16, "num_levels": 1},
        {"num_images": 1, "height": 100, "width": 100, "num_levels": 1, "context_width": 32},
        {"num_images": 20, "height": 32, "width": 32, "context_id": 3, "synthesis_id": 2,
         "synthesis_widths": (64,)},
    ],
)  # fmt: skip
def test_claim_is_of_the_size_of_the_peak(changes: dict[str, object]) -> None:
    """Where one array dominates, the claim is above the peak, and below six times it."""
    header = sample_header(**changes)
    file_bytes, peak_bytes = _peak_bytes(header)
    claimed = decoding_claim(header, file_bytes).memory_bytes
    assert peak_bytes < claimed < 6 * peak_bytes

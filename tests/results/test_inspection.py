"""The parts of a file add up to its size, to the byte and to the hundredth of a per cent."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.codec.decode import decode_bytes
from ddcodec.results.inspection import apportion, describe_labels, file_bytes, inspect_file
from ddcodec.results.reading import decode_file

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.ddc"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_parts_add_up(path: Path) -> None:
    """Bytes, bits and per cent of all parts are those of the file."""
    data = path.read_bytes()
    inspection = inspect_file(decode_bytes(data))
    assert inspection.file_bytes == len(data)
    assert sum(part.num_bytes for part in inspection.parts) == len(data)
    assert sum(part.bits for part in inspection.parts) == pytest.approx(8 * len(data), abs=1e-6)
    assert sum(round(100 * part.percent) for part in inspection.parts) == 10_000
    for part in inspection.parts:
        assert abs(part.bits / 8 - part.num_bytes) < 1


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_coder_overhead_is_small(path: Path) -> None:
    """The coder costs between nothing and 16 bytes."""
    parts = {part.name: part for part in inspect_file(decode_bytes(path.read_bytes())).parts}
    assert 0 <= parts["coder overhead"].bits <= 8 * 16
    assert parts["checksums"].num_bytes == 8


def test_kinds_and_rates() -> None:
    """Latents and labels are explicit, networks implicit; rates follow from the file's size."""
    decoded = decode_file(GOLDEN[0].with_name("sets.ddc"))
    inspection = inspect_file(decoded)
    kinds = {part.name: part.kind for part in inspection.parts}
    assert {kinds["labels"], kinds["latents 0"], kinds["latents 4"]} == {"explicit"}
    assert {kinds["context"], kinds["upsampling"], kinds["synthesis"]} == {"implicit"}
    assert {kinds["header"], kinds["class names"], kinds["coder overhead"]} == {"container"}
    size = file_bytes(decoded.container)
    assert inspection.bits_per_class == 8 * size / 3
    assert inspection.bytes_per_image == size / 6
    assert inspection.bits_per_pixel == pytest.approx(8 * size / (6 * 9 * 13))
    totals = [inspection.bytes_of(kind) for kind in ("explicit", "implicit", "container")]
    assert sum(totals) == size


def test_json_is_json() -> None:
    """What goes out as JSON survives it and adds up."""
    facts = inspect_file(decode_file(GOLDEN[0])).to_json()
    assert json.loads(json.dumps(facts))["file_bytes"] == facts["file_bytes"]
    assert sum(part["bytes"] for part in facts["parts"]) == facts["file_bytes"]
    assert sum(share["bytes"] for share in facts["shares"].values()) == facts["file_bytes"]
    assert sum(share["percent"] for share in facts["shares"].values()) == pytest.approx(100)


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=20).filter(lambda ws: sum(ws) > 1e-3),
    st.integers(0, 10**6),
)
def test_apportion_adds_up(weights: list[float], total: int) -> None:
    """Shares are whole, sum to the total and differ from proportion by less than one."""
    shares = apportion(weights, total)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - weight * total / sum(weights)) < 1 + 1e-6


@pytest.mark.parametrize(
    ("name", "words", "least"),
    [("grey", "hard", 0.0), ("soft", "soft, ", 1.0), ("labeler", "by a labeler of ", 100.0)],
)
def test_labels_are_accounted_for(name: str, words: str, least: float) -> None:
    """What labels are and what one of them costs is said of every label mode."""
    decoded = decode_file(GOLDEN[0].with_name(f"{name}.ddc"))
    inspection = inspect_file(decoded)
    assert describe_labels(decoded.header).startswith(words)
    labels = sum(decoded.section_bits.get(part, 0.0) for part in ("labels", "labeler"))
    assert inspection.bits_per_label == labels / decoded.header.num_images
    assert inspection.to_json()["bits_per_label"] >= least

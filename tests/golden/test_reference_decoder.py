"""The decoder written from docs/format.md reads what the package writes, bit for bit."""

import ast
import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import reference_decoder
from make import EXPECTED, FOLDER, GOLDEN_FILES
from sample_content import sample_content, sample_header

from ddcodec.codec.checksum import label_bytes, soft_label_bytes, symbol_bytes
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import encode_content
from ddcodec.codec.renditions import draw_renditions
from ddcodec.entropy.tables import laplace_frequencies
from ddcodec.format.labeler_layers import LabelerLayer

_DOCUMENT = Path(__file__).parents[2] / "docs" / "format.md"


@pytest.mark.parametrize("name", sorted(GOLDEN_FILES))
def test_golden_files(name: str) -> None:
    """All that the golden files decode to has the pinned SHA-256."""
    data = (FOLDER / f"{name}.ddc").read_bytes()
    decoded = reference_decoder.decode(data)
    names = decoded.pop("names")
    assert decoded.pop("details") == b""
    digests = {part: hashlib.sha256(content).hexdigest() for part, content in decoded.items()}
    expected = json.loads(EXPECTED.read_text())[name]
    assert expected.pop("file") == hashlib.sha256(data).hexdigest()
    assert digests == expected
    kept = decode_bytes(data).content.class_names
    assert names == (None if kept is None else list(kept))


@pytest.mark.parametrize(
    "facts",
    [
        {"context_width": 32, "context_depth": 3, "num_levels": 9, "context_id": 2},
        {"num_classes": 5, "num_images": 11, "num_sets": 4, "channels": 3},
        {"height": 1, "width": 11, "synthesis_widths": (3, 2, 4), "context_width": 24},
        {"height": 13, "width": 1, "num_levels": 1, "context_id": 2, "num_images": 1},
        {"context_id": 3, "synthesis_id": 2, "synthesis_widths": (3,), "num_levels": 9},
        {"context_id": 3, "synthesis_id": 3, "channels": 3, "height": 8, "width": 8},
        {"context_id": 3, "synthesis_id": 2, "synthesis_widths": (2, 3, 4), "channels": 3},
        {"context_id": 4, "synthesis_id": 4, "channels": 3, "context_width": 24},
        {"context_id": 4, "synthesis_id": 4, "context_depth": 3, "num_sets": 2},
        {"label_mode": 1},
        {"label_mode": 1, "num_classes": 5, "num_images": 11, "num_sets": 4},
        {"label_mode": 2, "labeler_layers": (LabelerLayer(1, 5, pooled=True),)},
        {
            "label_mode": 2,
            "num_images": 17,
            "channels": 3,
            "num_classes": 4,
            "labeler_layers": (
                LabelerLayer(4, 3),
                LabelerLayer(4, 1, skip=1),
                LabelerLayer(4, 5, skip=2),
                LabelerLayer(3, 3, pooled=True),
                LabelerLayer(3, 5, pooled=True),
                LabelerLayer(3, 3, skip=1),
            ),
        },
    ],
)
@pytest.mark.parametrize("spread", [1, 200])
def test_further_files(facts: dict[str, object], spread: int) -> None:
    """Files of other shapes decode to what the package decodes them to."""
    header = sample_header(**facts)
    data = encode_content(header, sample_content(header, 31, spread=spread)).data
    expected, decoded = decode_bytes(data), reference_decoder.decode(data)
    assert decoded["symbols"] == symbol_bytes(expected.content)
    assert decoded["labels"] == label_bytes(expected.labels)
    assert decoded["pixels"] == np.ascontiguousarray(expected.images).tobytes()
    logits = soft_label_bytes(header, expected.content, expected.images)
    assert decoded.get("logits", b"") == logits
    assert (
        len(logits)
        == (0, 2 * header.num_images, 4 * min(16, header.num_images))[header.label_mode]
        * header.num_classes
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"context_id": 2, "num_sets": 2, "num_images": 4},
        {"context_id": 3, "synthesis_id": 2, "synthesis_widths": (3,), "channels": 3},
        {"context_id": 3, "synthesis_id": 3, "channels": 3, "height": 8, "width": 8},
        {"context_id": 2, "hints": ((8, 17), (2, 3), (8, 4), (8, 9))},
    ],
)
@pytest.mark.parametrize("spread", [1, 200])
def test_renditions(facts: dict[str, object], spread: int) -> None:
    """Details drawn by the document's words are those the package draws."""
    header = sample_header(**facts)
    content = sample_content(header, 32, spread=spread)
    decoded = reference_decoder.decode(encode_content(header, content).data, renditions=3)
    drawn = draw_renditions(header, content, 3)
    assert decoded["pixels"] == drawn[0].tobytes()
    assert decoded["details"] == drawn[1:].tobytes()
    assert drawn[1].tobytes() != drawn[2].tobytes() != drawn[0].tobytes()


def test_uses_nothing_of_the_package() -> None:
    """Only the standard library is imported."""
    tree = ast.parse(Path(reference_decoder.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [
                alias.name for alias in node.names
            ]  # fmt: skip
            assert all(name and name.split(".")[0] in sys.stdlib_module_names for name in names)


def test_tables_of_the_document() -> None:
    """The tables stated as formulas are the tables of the package, and so is their SHA-256."""
    table = laplace_frequencies()
    for row in range(0, 1024, 13):
        assert reference_decoder.laplace_row(row) == table[row].tolist()
    assert hashlib.sha256(table.astype("<u4").tobytes()).hexdigest() in _DOCUMENT.read_text()


def test_example_of_the_document() -> None:
    """The hex dump in docs/format.md is the smallest golden file."""
    text = _DOCUMENT.read_text(encoding="utf-8").split("## 14.")[1]
    lines = re.findall(r"^    [0-7]0  ((?:[0-9a-f]{2} ?)+)$", text, re.MULTILINE)
    data = bytes.fromhex("".join(lines))
    assert data == (FOLDER / "grey.ddc").read_bytes()
    latents = decode_bytes(data).content.latents[0]
    rows = [line.split() for line in text.split("level 1 ")[1].splitlines()[1:] if line.strip()]
    numbers = [[int(word.replace("\u2212", "-")) for word in row] for row in rows]
    images = decode_bytes(data).images[0, 0].tolist()
    assert [row[-5:] for row in numbers] == images
    assert [row[-10:-5] for row in numbers] == latents[0][0].tolist()
    assert [row[:3] for row in numbers[:4]] == latents[1][0].tolist()

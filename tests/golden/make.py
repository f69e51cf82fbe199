"""Write the golden files and what they decode to: PYTHONPATH=.:tests python tests/golden/make.py.

Run it only when a golden file is added. Files of version 1 never change.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from sample_content import sample_content, sample_header

from ddcodec.codec.checksum import label_bytes, soft_label_bytes, symbol_bytes
from ddcodec.codec.decode import DecodedFile, decode_bytes
from ddcodec.codec.encode import encode_content
from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.codec.stream import Content
from ddcodec.format.labeler_layers import LabelerLayer

FOLDER = Path(__file__).parent
EXPECTED = FOLDER / "expected.json"


def grey() -> bytes:
    """One grey image of 7 × 5, two named classes, one of them empty."""
    header = sample_header(num_images=1, synthesis_widths=(2,), has_class_names=True)
    content = sample_content(header, 4, class_counts=[0, 1], class_names=["cat", "Dog 2"])
    return encode_content(header, content).data


def escapes() -> bytes:
    """Unequal classes, two network sets, coarser context, escapes and shifts everywhere."""
    header = sample_header(
        num_classes=3,
        num_images=6,
        height=16,
        width=16,
        channels=3,
        num_levels=3,
        num_sets=2,
        context_id=2,
        context_depth=2,
        synthesis_widths=(6,),
        mean=(125, 123, 114),
        std=(63, 62, 67),
    )
    content = sample_content(header, 2, class_counts=[3, 1, 2], class_sets=[1, 0, 1], spread=5)
    return encode_content(header, _with_outliers(content)).data


def _with_outliers(content: Content) -> Content:
    """Put far values into latents and weights, the largest codable ones among them."""
    for number, levels in enumerate(content.latents):
        for level, plane in enumerate(levels):
            plane[0, 0, 0] = 15 + 2 * number
            plane[0, -1, 1] = -16 - level
            plane[-1, 1, -1] = (-32768, 32767, 1000)[level]
    networks = []
    for tensors in content.networks:
        spatial = tensors["synthesis.spatial0.weight"]
        wide = spatial.integers * 37
        outlier = tensors["context.0.bias"].integers.copy()
        outlier[::3] += (700, -5, 31)
        large = tensors["synthesis.1.bias"].integers * 64 + (1, -1, 2)
        tensors = tensors | {
            "synthesis.spatial0.weight": QuantizedTensor(wide, 12),
            "context.0.bias": QuantizedTensor(outlier, 9),
            "synthesis.1.bias": QuantizedTensor(large, 12),
        }
        networks.append(tensors)
    return replace(content, networks=tuple(networks))


def colour() -> bytes:
    """Four images of 32 × 32, six levels, two hidden layers, own context."""
    header = sample_header(
        num_images=4,
        height=32,
        width=32,
        channels=3,
        num_levels=6,
        context_width=16,
        context_depth=2,
        synthesis_widths=(16, 8),
    )
    return encode_content(header, sample_content(header, 3, spread=2)).data


def sets() -> bytes:
    """A network set for each class, names beyond ASCII, hints, more levels than halvings."""
    header = sample_header(
        num_classes=3,
        num_images=6,
        height=9,
        width=13,
        num_levels=5,
        num_sets=3,
        context_id=2,
        context_width=16,
        hints=((1, 3), (77, 1 << 40)),
        has_class_names=True,
    )
    names = ["żółw", "", "snow_leopard-9"]
    return encode_content(header, sample_content(header, 4, class_names=names)).data


def wavelet() -> bytes:
    """Three colour images of 13 × 9 as a wavelet with two hidden layers of refinement."""
    header = sample_header(
        num_images=3,
        height=13,
        width=9,
        channels=3,
        num_levels=3,
        context_id=3,
        context_width=24,
        context_depth=2,
        synthesis_id=2,
        synthesis_widths=(5, 3),
    )
    return encode_content(header, sample_content(header, 6, spread=4)).data


def half_chroma() -> bytes:
    """A wavelet without fine colour or refinement; far values; rows that cannot be halved twice."""
    header = sample_header(
        num_classes=3,
        num_images=4,
        height=2,
        width=16,
        channels=3,
        num_levels=3,
        num_sets=2,
        context_id=3,
        context_width=32,
        synthesis_id=3,
        synthesis_widths=(),
    )
    content = sample_content(header, 7, class_sets=[1, 0, 1], spread=9)
    for planes in content.latents:
        planes[0][0, 0, 0] = 32767
        planes[-1][-1, 0, 0] = -32768
    return encode_content(header, content).data


def pixels() -> bytes:
    """Five colour images of 6 × 9 as pixels, the darkest and the brightest among them."""
    header = sample_header(
        num_classes=2,
        num_images=5,
        height=6,
        width=9,
        channels=3,
        num_sets=2,
        context_id=4,
        context_width=32,
        context_depth=2,
        synthesis_id=4,
        has_class_names=True,
    )
    content = sample_content(header, 8, class_names=["light", "dark"], spread=20)
    for planes in content.latents:
        planes[0][0, 0, 0] = 127
        planes[-1][-1, -1, -1] = -128
        planes[1][0, 2, 3] = 1000
    return encode_content(header, content).data


def soft() -> bytes:
    """Soft labels of unequal classes, one of them empty; the largest logits there are."""
    header = sample_header(num_classes=4, num_images=9, has_class_names=True, label_mode=1)
    content = sample_content(header, 9, class_counts=[4, 0, 3, 2])
    soft_labels = content.soft_labels
    assert soft_labels is not None
    soft_labels.logits[0, :2] = (-32768, 32767)
    return encode_content(header, content).data


def labeler() -> bytes:
    """A labeler that does all its layers can do, and more images than it is checked on."""
    layers = (
        LabelerLayer(5, 5),
        LabelerLayer(6, 3, pooled=True),
        LabelerLayer(6, 1, skip=1),
        LabelerLayer(6, 3, skip=2),
        LabelerLayer(7, 3, pooled=True),
        LabelerLayer(7, 5, skip=1),
    )
    header = sample_header(
        num_classes=3,
        num_images=20,
        height=11,
        width=9,
        channels=3,
        num_levels=3,
        num_sets=2,
        label_mode=2,
        labeler_layers=layers,
    )
    content = sample_content(header, 10)
    tensors = content.labeler
    assert tensors is not None
    changes = {}
    for name, tensor in tensors.items():
        if name.endswith("gain"):
            changes[name] = QuantizedTensor(tensor.integers, 3)
        elif name.endswith("bias"):
            # Each in steps of its own, one of them far off.
            far = tensor.integers.copy()
            far[0] += 1000
            changes[name] = QuantizedTensor(far, 11)
    return encode_content(header, replace(content, labeler=tensors | changes)).data


GOLDEN_FILES = {
    "grey": grey,
    "escapes": escapes,
    "colour": colour,
    "sets": sets,
    "wavelet": wavelet,
    "half_chroma": half_chroma,
    "pixels": pixels,
    "soft": soft,
    "labeler": labeler,
}


def digests(data: bytes, decoded: DecodedFile) -> dict[str, str]:
    """Return the SHA-256 of a file and of everything it decodes to."""
    parts = {
        "file": data,
        "symbols": symbol_bytes(decoded.content),
        "labels": label_bytes(decoded.labels),
        "pixels": np.ascontiguousarray(decoded.images).tobytes(),
    }
    logits = soft_label_bytes(decoded.header, decoded.content, decoded.images)
    if logits:
        parts["logits"] = logits
    return {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()}


def main() -> None:
    """Write every file and `expected.json`."""
    expected = {}
    for name, build in GOLDEN_FILES.items():
        data = build()
        (FOLDER / f"{name}.ddc").write_bytes(data)
        expected[name] = digests(data, decode_bytes(data))
        print(f"{name}.ddc: {len(data)} bytes")
    EXPECTED.write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()

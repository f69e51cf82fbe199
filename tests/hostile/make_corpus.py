"""Write the tiny files that mutations start from.

PYTHONPATH=.:tests python tests/hostile/make_corpus.py

One of each decoder family and label mode, of as few pixels as show all that the family does: every
wave of latents takes time, and thousands of mutations of them are decoded in a test.
"""

from pathlib import Path

from sample_content import sample_content, sample_header

from ddcodec.codec.encode import encode_content
from ddcodec.format.labeler_layers import LabelerLayer

CORPUS = Path(__file__).parent / "corpus"

_LAYERS = (LabelerLayer(2, 3), LabelerLayer(2, 1, skip=1), LabelerLayer(3, 3, pooled=True))

HEADERS: dict[str, dict[str, object]] = {
    "pyramid": {
        "num_images": 2, "height": 3, "width": 2, "context_id": 2, "synthesis_widths": (2,),
        "has_class_names": True,
    },
    "wavelet": {
        "num_images": 2, "height": 2, "width": 3, "num_levels": 1, "context_id": 3,
        "synthesis_id": 2, "synthesis_widths": (2,), "hints": ((2, 3), (8, 16)),
    },
    "half_chroma": {
        "num_classes": 1, "num_images": 1, "height": 2, "width": 2, "channels": 3, "num_levels": 1,
        "context_id": 3, "synthesis_id": 3, "synthesis_widths": (),
    },
    "pixels": {
        "num_images": 3, "height": 2, "width": 2, "num_sets": 2, "context_id": 4, "synthesis_id": 4,
    },
    "soft": {
        "num_classes": 3, "num_images": 3, "height": 2, "width": 2, "num_levels": 1,
        "synthesis_widths": (1,), "label_mode": 1,
    },
    "labeler": {
        "num_images": 2, "height": 2, "width": 2, "num_levels": 1, "context_id": 3,
        "synthesis_id": 2, "synthesis_widths": (), "label_mode": 2, "labeler_layers": _LAYERS,
    },
}  # fmt: skip


def main() -> None:
    """Write every file."""
    CORPUS.mkdir(exist_ok=True)
    for name, changes in HEADERS.items():
        header = sample_header(**changes)
        data = encode_content(header, sample_content(header, 3)).data
        (CORPUS / f"tiny_{name}.ddc").write_bytes(data)
        print(f"tiny_{name}.ddc: {len(data)} bytes")


if __name__ == "__main__":
    main()

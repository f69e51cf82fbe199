"""Small files that keep one loop of the decoder busy each, for `decode_costs.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddcodec.codec.encode import encode_content, encode_payload
from ddcodec.codec.labels.soft_labels import SoftLabels
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.codec.stream import Content, context_of, synthesis_of
from ddcodec.format.container import pack_container
from ddcodec.format.header import LABEL_MODE_SOFT, Header
from ddcodec.format.labeler_layers import LabelerLayer
from ddcodec.format.planes import PIXELS, PYRAMID, WAVELET

LOUD_SPREAD = 400
"""Latents that nearly always escape their tables."""


@dataclass(frozen=True)
class Stress:
    """A file that keeps one loop busy.

    Attributes:
        name: what is stressed.
        header: changes to a small header.
        loud: whether latents are large, so that each takes an escape.
        work: what is done with the file, a key of `WORKS`.
    """

    name: str
    header: dict[str, object]
    loud: bool = False
    work: str = "decode"


WIDE = (2048,)
DEEP = (640,) * 8
LAYER = LabelerLayer

STRESSES = [
    Stress("nothing", {}),
    Stress("waves quiet", {"height": 512, "width": 512, "num_levels": 9, "context_width": 8}),
    Stress("waves many sets", {"num_classes": 400, "num_sets": 400, "num_images": 400,
           "height": 16, "width": 16, "num_levels": 1}),
    Stress("waves loud", {"height": 256, "width": 256, "num_levels": 5, "context_width": 8},
           loud=True),
    Stress("waves wavelet", {"height": 128, "width": 128, "num_levels": 5, "channels": 3,
           "synthesis_id": WAVELET, "context_id": 3, "context_width": 32, "context_depth": 8,
           "synthesis_widths": ()}, loud=True),
    Stress("symbols narrow", {"num_images": 1 << 20, "height": 1, "width": 4, "num_levels": 1}),
    Stress("symbols many images", {"num_images": 1 << 20, "height": 1, "width": 1,
           "num_levels": 9}),
    Stress("symbols wide", {"num_images": 3000, "height": 32, "width": 32, "num_levels": 1,
           "context_width": 32, "context_depth": 8}),
    Stress("symbols loud", {"num_images": 300, "height": 32, "width": 32, "num_levels": 1,
           "context_width": 32, "context_depth": 1}, loud=True),
    Stress("symbols pixels", {"num_images": 400, "height": 32, "width": 32, "channels": 3,
           "synthesis_id": PIXELS, "context_id": 4, "context_width": 8}),
    Stress("pixels many", {"num_images": 1500, "height": 32, "width": 32, "channels": 3,
           "synthesis_id": PIXELS, "context_id": 4, "context_width": 8}),
    Stress("sets small", {"num_classes": 2000, "num_sets": 2000, "num_images": 2000,
           "height": 1, "width": 1, "num_levels": 1}),
    Stress("sets without images", {"num_classes": 4000, "num_sets": 4000, "num_images": 1,
           "height": 1, "width": 1, "num_levels": 1}),
    Stress("sets planes", {"num_classes": 200, "num_sets": 200, "num_images": 200,
           "height": 1, "width": 1, "num_levels": 9, "channels": 3, "synthesis_id": WAVELET,
           "context_id": 3, "context_depth": 8, "synthesis_widths": (1,) * 8}),
    Stress("weights wide", {"synthesis_widths": (1600, 1600, 600)}),
    Stress("weights deep", {"synthesis_id": WAVELET, "context_id": 3, "channels": 3,
           "synthesis_widths": (1000, 1000, 1000)}),
    Stress("sets alternating", {"num_classes": 65_536, "num_sets": 2, "num_images": 65_536,
           "height": 1, "width": 1, "num_levels": 1}),
    Stress("pyramid small", {"num_images": 300_000, "height": 1, "width": 1, "num_levels": 9}),
    Stress("pyramid rows", {"num_images": 3000, "height": 512, "width": 1, "num_levels": 1}),
    Stress("pyramid wide", {"num_images": 300, "height": 32, "width": 32, "num_levels": 6,
           "synthesis_widths": WIDE}),
    Stress("pyramid deep", {"num_images": 10, "height": 32, "width": 32, "num_levels": 6,
           "synthesis_widths": DEEP}),
    Stress("pyramid thin", {"num_images": 300, "height": 32, "width": 32, "num_levels": 6,
           "synthesis_widths": (1,) * 8}),
    Stress("pyramid one large", {"height": 512, "width": 512, "num_levels": 9, "channels": 3}),
    Stress("wavelet plain", {"num_images": 500, "height": 32, "width": 32, "channels": 3,
           "num_levels": 5, "synthesis_id": WAVELET, "context_id": 3, "synthesis_widths": ()}),
    Stress("wavelet refined", {"num_images": 300, "height": 32, "width": 32, "channels": 3,
           "num_levels": 5, "synthesis_id": WAVELET, "context_id": 3, "synthesis_widths": (32,)}),
    Stress("wavelet wide", {"num_images": 4, "height": 32, "width": 32, "channels": 3,
           "num_levels": 5, "synthesis_id": WAVELET, "context_id": 3, "synthesis_widths": WIDE}),
    Stress("wavelet long", {"num_images": 20, "height": 1, "width": 512, "channels": 3,
           "num_levels": 9, "synthesis_id": WAVELET, "context_id": 3, "synthesis_widths": (32,)}),
    Stress("wavelet large", {"height": 512, "width": 512, "channels": 3,
           "num_levels": 9, "synthesis_id": WAVELET, "context_id": 3, "synthesis_widths": (16,)}),
    Stress("wavelet small", {"num_images": 50_000, "height": 1, "width": 1, "channels": 3,
           "num_levels": 9, "synthesis_id": WAVELET, "context_id": 3, "synthesis_widths": ()}),
    Stress("names", {"num_classes": 2000, "num_images": 1, "has_class_names": True}),
    Stress("classes", {"num_classes": 65_536, "num_images": 1}),
    Stress("soft tables", {"num_classes": 700, "num_images": 1, "label_mode": LABEL_MODE_SOFT}),
    Stress("soft logits", {"num_classes": 20, "num_images": 50_000, "height": 1, "width": 1,
           "num_levels": 1, "label_mode": LABEL_MODE_SOFT}),
    Stress("labeler wide", {"height": 32, "width": 32, "num_images": 16, "label_mode": 2,
           "num_levels": 1, "labeler_layers": (LAYER(256, 5), LAYER(128, 5))}),
    Stress("labeler thin", {"height": 128, "width": 128, "num_images": 16, "label_mode": 2,
           "num_levels": 1, "labeler_layers": (LAYER(1, 5),) * 64}),
    Stress("labeler large", {"height": 256, "width": 256, "num_images": 1, "label_mode": 2,
           "num_levels": 1, "labeler_layers": (LAYER(16, 5), LAYER(16, 5))}),
    Stress("labeler classes", {"height": 1, "width": 1, "num_classes": 65_536, "num_images": 1,
           "label_mode": 2, "num_levels": 1, "labeler_layers": (LAYER(16, 1),)}),
    Stress("export small", {"num_images": 3000, "num_classes": 1000, "num_levels": 1},
           work="export"),
    Stress("export large", {"num_images": 20, "height": 256, "width": 256, "channels": 3,
           "num_levels": 1, "synthesis_id": PIXELS, "context_id": 4}, loud=True, work="export"),
    Stress("view classes", {"num_images": 2000, "num_classes": 2000, "num_levels": 1}, work="view"),
    Stress("view pictures", {"num_images": 100, "num_classes": 10, "height": 128, "width": 128,
           "num_levels": 1}, work="view"),
    Stress("draw symbols", {"num_images": 200, "height": 32, "width": 32, "channels": 3,
           "num_levels": 5, "synthesis_id": WAVELET, "context_id": 3, "synthesis_widths": (8,)},
           work="draw"),
    Stress("draw sets", {"num_images": 50, "num_classes": 50, "num_sets": 50, "height": 8,
           "width": 8, "num_levels": 3, "synthesis_id": WAVELET, "context_id": 3,
           "synthesis_widths": (8,)}, work="draw"),
]  # fmt: skip


def header_of(stress: Stress) -> Header:
    """Return the header of a stress."""
    facts: dict[str, object] = {
        "num_classes": 1, "num_images": 1, "height": 4, "width": 4, "channels": 1,
        "num_levels": 1, "num_sets": 1, "context_id": 1, "context_width": 8, "context_depth": 1,
        "synthesis_id": PYRAMID, "synthesis_widths": (1,), "label_mode": 0, "hints": (),
        "has_class_names": False,
    }  # fmt: skip
    facts |= stress.header
    if facts["synthesis_id"] == PIXELS:
        facts["synthesis_widths"] = ()
    channels = int(str(facts["channels"]))
    facts |= {"mean": (128,) * channels, "std": (64,) * channels}
    return Header(**facts)  # type: ignore[arg-type]


def quiet_networks(header: Header, loud: bool) -> NetworkTensors:
    """Return weights of 0 and predictions of the narrowest, or of a wide, table."""
    shapes = context_of(header).tensor_shapes() | synthesis_of(header).tensor_shapes()
    tensors = {name: zeros(shape) for name, shape in shapes.items()}
    bias = tensors["context.out.bias"].integers
    bias[:, 1] = 2 if loud else -5
    return tensors


def zeros(shape: tuple[int, ...]) -> QuantizedTensor:
    """Return a tensor that takes next to no bits."""
    return QuantizedTensor(np.zeros(shape, dtype=np.int64), 0)


def content_of(stress: Stress, header: Header) -> Content:
    """Return images that take next to no bits, unless they are loud."""
    classes = header.num_classes
    counts = np.zeros(classes, dtype=np.int64)
    counts[:] = header.num_images // classes
    counts[0] += header.num_images - counts.sum()
    sets = np.arange(classes, dtype=np.int64) % header.num_sets
    in_set = np.bincount(sets, weights=counts, minlength=header.num_sets).astype(np.int64)
    generator = np.random.default_rng(0)
    spread = LOUD_SPREAD if stress.loud else 0
    latents = tuple(
        [
            generator.integers(-spread, spread + 1, (int(count), plane.rows, plane.columns)).astype(
                np.int16
            )
            for plane in header.planes
        ]
        for count in in_set
    )
    networks = (quiet_networks(header, stress.loud),) * header.num_sets
    names = ("A" * 255,) * classes if header.has_class_names else None
    soft = None
    if header.label_mode == LABEL_MODE_SOFT:
        square = np.zeros((classes, classes), dtype=np.int64)
        logits = np.zeros((header.num_images, classes), dtype=np.int16)
        soft = SoftLabels(logits, 0, square, square - 40)
    labeler = None
    if header.labeler is not None:
        labeler = {name: zeros(shape) for name, shape in header.labeler.tensor_shapes().items()}
    return Content(counts, names, sets, networks, latents, soft, labeler)


def crafted(stress: Stress) -> bytes:
    """Return the file, valid but for its content checksum."""
    header = header_of(stress)
    payload, _ = encode_payload(header, content_of(stress, header))
    return pack_container(header, payload, 0)


def encoded(stress: Stress) -> bytes:
    """Return the whole file, for what looks at checksums."""
    header = header_of(stress)
    return encode_content(header, content_of(stress, header)).data

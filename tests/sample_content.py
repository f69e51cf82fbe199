"""Training sets made of integers, for tests: any header, no training, the same on every machine.

Integers come from the raw bits of PCG64, which numpy keeps stable across releases.
"""

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.labels.soft_labels import SoftLabels
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.codec.stream import Content, context_of, synthesis_of
from ddcodec.codec.wavelet.synthesis import CDF_TAPS
from ddcodec.format.header import LABEL_MODE_SOFT, Header
from ddcodec.format.planes import PIXELS, PYRAMID

Integers = NDArray[np.int64]

_TAPS = (-9, 67, 225, -27)
"""Bicubic taps in units of 1/256."""


class IntegerSource:
    """Stable pseudo-random integers."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def uniform(self, low: int, high: int, *shape: int) -> Integers:
        """Return integers of low … high, ends included."""
        raw = self._bits.random_raw(int(np.prod(shape)))
        return (raw % np.uint64(high - low + 1)).astype(np.int64).reshape(shape) + low

    def peaked(self, spread: int, *shape: int) -> Integers:
        """Return integers around 0, at most `spread` away, half of them 0."""
        triangle = self.uniform(0, spread, *shape) - self.uniform(0, spread, *shape)
        return triangle * self.uniform(0, 1, *shape)


def sample_header(**changes: object) -> Header:
    """Return a small valid header; keyword arguments replace its fields.

    Pixels always have the one level and no decoder layer that they may have.
    """
    facts: dict[str, object] = {
        "num_classes": 2,
        "num_images": 3,
        "height": 7,
        "width": 5,
        "channels": 1,
        "num_levels": 2,
        "num_sets": 1,
        "context_id": 1,
        "context_width": 8,
        "context_depth": 1,
        "synthesis_id": 1,
        "synthesis_widths": (4,),
        "label_mode": 0,
        "hints": (),
        "has_class_names": False,
    }
    facts.update(changes)
    if facts["synthesis_id"] == PIXELS:
        facts.update(num_levels=1, synthesis_widths=())
    channels = facts["channels"]
    assert isinstance(channels, int)
    facts.setdefault("mean", (128,) * channels)
    facts.setdefault("std", (64,) * channels)
    return Header(**facts)  # type: ignore[arg-type]


def sample_networks(header: Header, source: IntegerSource) -> NetworkTensors:
    """Return one set of networks: moderate weights, grey as the usual picture."""
    if header.synthesis_id != PYRAMID:
        return _wavelet_networks(header, source)
    shapes = context_of(header).tensor_shapes() | synthesis_of(header).tensor_shapes()
    last = f"synthesis.{len(header.synthesis_widths)}"
    tensors = {}
    for name, shape in shapes.items():
        exponent = 8 if name == "upsampling.taps" else 6
        if name == "upsampling.taps":
            integers = np.array(_TAPS) + source.peaked(4, *shape)
        elif name.startswith("synthesis") and name.endswith("weight") and "spatial" not in name:
            integers = source.peaked(40 if name.startswith(last) else 48, *shape)
        else:
            integers = source.peaked(6, *shape)
        if name == f"{last}.bias":
            integers = integers + 32
        tensors[name] = QuantizedTensor(integers, exponent)
    return tensors


def _wavelet_networks(header: Header, source: IntegerSource) -> NetworkTensors:
    shapes = context_of(header).tensor_shapes() | synthesis_of(header).tensor_shapes()
    tensors = {}
    for name, shape in shapes.items():
        integers = source.peaked(6, *shape)
        if name == "transform.gains":
            integers = 5 + source.uniform(0, 6, *shape)
        elif name == "transform.taps":
            integers = integers + np.rint(64 * np.array(CDF_TAPS)).astype(np.int64)
        elif name == "synthesis.colour.weight":
            integers = integers + 64 * np.eye(len(integers), dtype=np.int64)
        elif name == "synthesis.colour.bias":
            integers = integers + 32
        tensors[name] = QuantizedTensor(integers, 6)
    return tensors


def sample_content(header: Header, seed: int, **choices: object) -> Content:
    """Return content that fits a header.

    Args:
        header: the fixed facts.
        seed: different seeds give different content.
        choices: `class_counts`, `class_sets`, `class_names`: lists in place of the usual ones;
            `spread`: largest usual latent, 3 if not given.
    """
    source = IntegerSource(seed)
    spare = header.num_images % header.num_classes
    even = [
        header.num_images // header.num_classes + (index < spare)
        for index in range(header.num_classes)
    ]
    counts = np.array(choices.get("class_counts", even), dtype=np.int64)
    numbers = range(header.num_classes)
    sets = np.array(
        choices.get("class_sets", [index % header.num_sets for index in numbers]), dtype=np.int64
    )
    names = None
    if header.has_class_names:
        names = tuple(choices.get("class_names", [f"class {index}" for index in numbers]))
    spread = choices.get("spread", 3)
    assert isinstance(spread, int)
    networks = tuple(sample_networks(header, source) for _ in range(header.num_sets))
    latents = tuple(
        [
            source.peaked(
                spread, int(counts[sets == index].sum()), plane.rows, plane.columns
            ).astype(np.int16)
            for plane in header.planes
        ]
        for index in range(header.num_sets)
    )
    soft, labeler = sample_soft_labels(header, source), sample_labeler(header, source)
    return Content(counts, names, sets, networks, latents, soft, labeler)


def sample_soft_labels(header: Header, source: IntegerSource) -> SoftLabels | None:
    """Return logits that their tables predict badly, some far off; None in other label modes."""
    if header.label_mode != LABEL_MODE_SOFT:
        return None
    classes = header.num_classes
    logits = source.peaked(60, header.num_images, classes).astype(np.int16)
    loc = source.peaked(90, classes, classes)
    return SoftLabels(logits, 3, loc, source.uniform(-20, 20, classes, classes))


def sample_labeler(header: Header, source: IntegerSource) -> NetworkTensors | None:
    """Return a labeler whose layers have something to say; None in other label modes."""
    if header.labeler is None:
        return None
    tensors = {}
    for name, shape in header.labeler.tensor_shapes().items():
        integers = source.peaked(3, *shape)
        if name.endswith("gain"):
            integers = source.uniform(-3, 9, *shape)
        tensors[name] = QuantizedTensor(integers, 4 if name.endswith("gain") else 2)
    return tensors

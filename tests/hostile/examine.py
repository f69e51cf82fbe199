"""What a file must survive: decoded in full with all that it offers, or refused in one sentence."""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import numpy as np

from ddcodec.codec.checksum import label_bytes, symbol_bytes
from ddcodec.codec.decode import DecodedFile, decode_bytes
from ddcodec.codec.renditions import draw_renditions
from ddcodec.errors import FormatError
from ddcodec.format.limits import DecodeLimits
from ddcodec.format.planes import PIXELS
from ddcodec.results.inspection import inspect_file

sys.path.append(str(Path(__file__).parents[1] / "golden"))

import reference_decoder

DECODED_AGAIN_EVERY = 8
"""Of how many files one is compared with what the reference decoder makes of it."""

LONGEST_TO_COMPARE = 500
"""Symbols, or tens of weights, of the files that are."""


def examine(data: bytes, limits: DecodeLimits | None = None) -> str:
    """Return "refused" or "decoded"; any error but `FormatError` leaves."""
    try:
        decoded = decode_bytes(data, limits)
    except FormatError as error:
        message = str(error)
        assert message.isprintable() and message.endswith((".", "refused.")), message
        return "refused"
    _look_at(decoded)
    if zlib.crc32(data) % DECODED_AGAIN_EVERY == 0:
        _decode_again(data, decoded, limits)
    return "decoded"


def _look_at(decoded: DecodedFile) -> None:
    """Use what a decoded file hands out."""
    header = decoded.header
    images = decoded.images
    assert images.shape == (header.num_images, header.channels, header.height, header.width)
    assert len(decoded.labels) == header.num_images
    assert 0 <= decoded.labels.min() <= decoded.labels.max() < header.num_classes
    assert len(decoded.class_names) == header.num_classes
    assert all(isinstance(name, str) for name in decoded.class_names)
    soft = decoded.content.soft_labels
    if soft is not None:
        assert np.isfinite(soft.probabilities).all()
    inspection = inspect_file(decoded)
    assert json.loads(json.dumps(inspection.to_json()))["file_bytes"] == inspection.file_bytes


def _decode_again(data: bytes, decoded: DecodedFile, limits: DecodeLimits | None) -> None:
    """Compare with the second decoder, in plain Python, where that does not take long."""
    header, content = decoded.header, decoded.content
    if max(header.num_symbols, header.num_weights // 10) > LONGEST_TO_COMPARE:
        return
    renditions = 1 if header.synthesis_id == PIXELS else 2
    try:
        drawn = draw_renditions(header, content, renditions, limits)
    except FormatError:  # more than the limits allow
        renditions, drawn = 1, decoded.images[None]
    expected = reference_decoder.decode(data, renditions)
    assert expected["symbols"] == symbol_bytes(content)
    assert expected["labels"] == label_bytes(decoded.labels)
    assert expected["pixels"] == decoded.images.tobytes() == drawn[0].tobytes()
    assert expected["details"] == drawn[1:].tobytes()

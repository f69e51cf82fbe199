"""Headers that lie: refused before anything is allocated for them."""

import struct
import tracemalloc
import zlib
from dataclasses import replace

import pytest

from ddcodec.codec.decode import decode_bytes
from ddcodec.errors import FormatError
from ddcodec.format.claims import decoding_claim
from ddcodec.format.container import unpack_container
from ddcodec.format.limits import UNBOUNDED, DecodeLimits
from ddcodec.format.varint import encode_varint

# The fields of docs/format.md, section 3, in order.
_FIELDS: dict[str, list[int]] = {
    "num_classes": [2],
    "num_images": [3],
    "height": [7],
    "width": [5],
    "channels": [1],
    "num_levels": [2],
    "num_sets": [1],
    "context_id": [1],
    "context_width": [8],
    "context_depth": [1],
    "synthesis_id": [1],
    "label_mode": [0],
    "synthesis_widths": [1, 4],
    "mean": [128],
    "std": [64],
    "hints": [0],
    "labeler_layers": [],
}


def _file(payload: bytes = b"", **changes: list[int]) -> bytes:
    numbers = [number for field in (_FIELDS | changes).values() for number in field]
    fields = b"".join(encode_varint(number) for number in numbers)
    body = b"\x89DDC\x01\0" + encode_varint(len(fields)) + fields + payload + b"\0\0\0\0"
    return body + struct.pack("<I", zlib.crc32(body))


def _refused(data: bytes, message: str, limits: DecodeLimits | None = None) -> int:
    """Check that a file is refused with a message; return the peak memory in bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message):
            decode_bytes(data, limits)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": [0]}, "num_classes = 0"),
        ({"num_classes": [65_537]}, "num_classes = 65537"),
        ({"num_images": [0]}, "num_images = 0"),
        ({"num_images": [2**20 + 1]}, "num_images = 1048577"),
        ({"height": [0]}, "height = 0"),
        ({"height": [513]}, "height = 513"),
        ({"width": [0]}, "width = 0"),
        ({"width": [513]}, "width = 513"),
        ({"channels": [0], "mean": [], "std": []}, "channels = 0"),
        ({"channels": [2], "mean": [0, 0], "std": [1, 1]}, "2 channels"),
        ({"channels": [4], "mean": [0] * 4, "std": [1] * 4}, "4 channels"),
        ({"channels": [2**62]}, "channels"),
        ({"num_levels": [0]}, "num_levels = 0"),
        ({"num_levels": [10]}, "num_levels = 10"),
        ({"num_sets": [0]}, "num_sets = 0"),
        ({"num_sets": [3]}, "num_sets = 3"),
        ({"context_id": [0]}, "context_id = 0"),
        ({"context_id": [4]}, "Context model 4 does not fit synthesis 1"),
        ({"context_id": [5]}, "context_id = 5"),
        ({"context_id": [3]}, "Context model 3 does not fit synthesis 1"),
        ({"synthesis_id": [3]}, "Context model 1 does not fit synthesis 3"),
        ({"context_width": [12]}, "Context width 12"),
        ({"context_width": [40]}, "Context width 40"),
        ({"context_depth": [0]}, "context_depth = 0"),
        ({"context_depth": [9]}, "context_depth = 9"),
        ({"synthesis_id": [0]}, "synthesis_id = 0"),
        ({"synthesis_id": [4]}, "Context model 1 does not fit synthesis 4"),
        ({"synthesis_id": [4], "context_id": [4]}, "one level and no decoder layers"),
        ({"synthesis_id": [4], "context_id": [4], "num_levels": [1]}, "no decoder layers"),
        ({"synthesis_id": [5]}, "synthesis_id = 5"),
        ({"synthesis_widths": [0]}, "between 1 and 8"),
        ({"synthesis_widths": [9] + [4] * 9}, "9 decoder layers"),
        ({"synthesis_widths": [2**62]}, "decoder layers"),
        ({"synthesis_widths": [1, 0]}, "wider than 2048 or empty"),
        ({"synthesis_widths": [1, 2049]}, "wider than 2048 or empty"),
        ({"label_mode": [3]}, "label_mode = 3"),
        ({"label_mode": [2**62]}, "label_mode"),
        # Only with a labeler are its layers looked for.
        ({"label_mode": [0], "labeler_layers": [1, 4, 3, 0, 0]}, "longer than its fields"),
        ({"label_mode": [1], "labeler_layers": [1, 4, 3, 0, 0]}, "longer than its fields"),
        ({"label_mode": [2]}, "middle of a number"),
        ({"label_mode": [2], "labeler_layers": [0]}, "0 layers; between 1 and 64"),
        ({"label_mode": [2], "labeler_layers": [65] + [4, 3, 0, 0] * 65}, "65 labeler layers"),
        ({"label_mode": [2], "labeler_layers": [2**62]}, "labeler layers"),
        ({"label_mode": [2], "labeler_layers": [1, 4, 3, 0]}, "middle of a number"),
        ({"label_mode": [2], "labeler_layers": [1, 4, 3, 0, 0, 0]}, "longer than its fields"),
        ({"label_mode": [2], "labeler_layers": [1, 0, 3, 0, 0]}, "0 channels"),
        ({"label_mode": [2], "labeler_layers": [1, 1025, 3, 0, 0]}, "1025 channels"),
        ({"label_mode": [2], "labeler_layers": [1, 2**62, 3, 0, 0]}, "channels"),
        ({"label_mode": [2], "labeler_layers": [1, 4, 0, 0, 0]}, "kernel of 0"),
        ({"label_mode": [2], "labeler_layers": [1, 4, 2, 0, 0]}, "kernel of 2"),
        ({"label_mode": [2], "labeler_layers": [1, 4, 2**62, 0, 0]}, "kernel of"),
        ({"label_mode": [2], "labeler_layers": [1, 4, 3, 2, 0]}, "pooled 2 times"),
        ({"label_mode": [2], "labeler_layers": [3] + [4, 3, 1, 0] * 3}, "no pixels left to pool"),
        ({"label_mode": [2], "labeler_layers": [1, 1, 3, 0, 1]}, "layer 0 adds an output"),
        ({"label_mode": [2], "labeler_layers": [2, 4, 3, 0, 0, 4, 3, 0, 2]}, "adds an output"),
        ({"label_mode": [2], "labeler_layers": [2, 4, 3, 0, 0, 5, 3, 0, 1]}, "adds an output"),
        ({"label_mode": [2], "labeler_layers": [2, 4, 3, 0, 0, 4, 3, 1, 1]}, "adds an output"),
        ({"label_mode": [2], "labeler_layers": [1, 4, 3, 0, 2**62]}, "adds an output"),
        ({"mean": [257]}, "mean"),
        ({"std": [0]}, "deviation"),
        ({"std": [257]}, "deviation"),
        ({"hints": [65] + [0] * 130}, "65 student hints"),
        ({"hints": [2**62]}, "student hints"),
        ({"hints": [1, 5]}, "middle of a number"),
        ({"hints": [0, 0]}, "longer than its fields"),
    ],
)
def test_each_header_field_is_bounded(changes: dict[str, list[int]], message: str) -> None:
    """A value just outside its range, or absurd, is named and refused at once."""
    assert _refused(_file(**changes), message) < 100_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"num_images": [1 << 20], "height": [512], "width": [512], "num_levels": [9]},
            "more than 268435456 symbols",
        ),
        ({"num_images": [1025], "height": [512], "width": [512], "num_levels": [1]}, "symbols"),
        ({"synthesis_widths": [4, 2048, 2048, 2048, 2048]}, "more than 10000000 weights"),
        ({"num_classes": [65_536], "num_sets": [65_536], "context_width": [32]}, "weights"),
        (
            {
                "num_images": [1024],
                "height": [512],
                "width": [512],
                "num_levels": [1],
                "context_width": [32],
                "context_depth": [8],
            },
            "s of work .latents .* over the 0.05 s allowed, and .*; give --max-seconds",
        ),
        # Logits, alone and together with latents; their tables grow with the square of the classes.
        (
            {"label_mode": [1], "num_classes": [1000], "num_images": [1 << 20]},
            "more than 268435456 symbols",
        ),
        ({"label_mode": [1], "num_classes": [2300], "num_images": [1]}, "10000000 weights"),
        ({"label_mode": [1], "num_classes": [65_536], "num_images": [1]}, "10000000 weights"),
        ({"label_mode": [1], "num_classes": [100], "num_images": [1 << 20]}, "--max-bytes"),
        # A labeler of many weights; one of few weights with large outputs, before pooling, too.
        ({"label_mode": [2], "labeler_layers": [64] + [1024, 5, 0, 0] * 64}, "10000000 weights"),
        (
            {"label_mode": [2], "height": [512], "width": [512], "num_levels": [9],
             "labeler_layers": [1, 1024, 1, 1, 0]},
            "MB of memory, over the 50 MB allowed",
        ),
        (
            {"label_mode": [2], "height": [512], "width": [512], "num_levels": [9],
             "labeler_layers": [64] + [16, 5, 0, 0] * 64},
            "MB of memory, over",
        ),
        (
            {"label_mode": [2], "height": [128], "width": [128], "num_levels": [1],
             "labeler_layers": [64] + [64, 5, 0, 0] * 64},
            "s of work .labels .*--max-seconds",
        ),
    ],
)  # fmt: skip
def test_default_limits_refuse_huge_totals(changes: dict[str, list[int]], message: str) -> None:
    """Fields that are fine one by one but huge together cost no memory."""
    assert _refused(_file(b"\0" * 64, **changes), message) < 100_000


def test_limits_of_the_user_hold() -> None:
    """File size, decoded bytes and multiply-adds are refused beyond what the user allows."""
    data = _file(b"\0" * 64, num_images=[100])
    header = unpack_container(data).header
    claim = decoding_claim(header, len(data))
    exact = DecodeLimits(len(data), claim.memory_bytes, claim.seconds)
    _refused(data, "bytes, over the limit", replace(exact, max_file_bytes=len(data) - 1))
    _refused(data, "--max-bytes", replace(exact, max_bytes=claim.memory_bytes - 1))
    _refused(data, "--max-seconds", replace(exact, max_seconds=0.999 * claim.seconds))
    # At the limit itself the payload is looked at.
    _refused(data, "The payload|class counts|The classes", exact)


def test_limits_of_the_user_hold_for_labels() -> None:
    """What labels need is compared with what the user allows, too."""
    plain = _file(b"\0" * 64)
    claim = decoding_claim(unpack_container(plain).header, len(plain) + 10)
    for changes in ({"label_mode": [1]}, {"label_mode": [2], "labeler_layers": [1, 9, 5, 0, 0]}):
        data = _file(b"\0" * 64, **changes)
        for limits in (
            DecodeLimits(max_bytes=claim.memory_bytes),
            DecodeLimits(max_seconds=claim.seconds),
        ):
            _refused(plain, "The payload|class counts|The classes", limits)
            _refused(data, "allowed; give", limits)


@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"\x5a"])
@pytest.mark.parametrize(
    "changes",
    [
        {"label_mode": [1], "num_classes": [1000], "num_images": [1000]},
        {"label_mode": [2], "labeler_layers": [3] + [100, 5, 0, 0] * 3},
        {"label_mode": [2], "labeler_layers": [64, 1, 5, 0, 0] + [1, 5, 0, 1] * 63},
    ],
)
def test_short_payload_does_not_buy_many_labels(
    filler: bytes, changes: dict[str, list[int]]
) -> None:
    """A file that claims many logits or weights but holds few bits is refused within its claim."""
    data = _file(filler * 64, **changes)
    claimed = decoding_claim(unpack_container(data, UNBOUNDED).header, len(data))
    assert _refused(data, "file is", UNBOUNDED) < claimed.memory_bytes


@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"\x5a"])
def test_short_payload_does_not_buy_long_work(filler: bytes) -> None:
    """A file that claims many symbols but holds few bits is refused in modest memory."""
    data = _file(
        filler * 64, num_classes=[1], num_images=[2000], height=[32], width=[32], num_levels=[6]
    )
    assert _refused(data, "file is", UNBOUNDED) < 64 << 20


def test_many_sets_and_names_end_with_the_payload() -> None:
    """A claim of 65,536 classes and as many network sets ends where the payload does."""
    data = _file(b"\x80" * 400, num_classes=[65_536], num_sets=[50_000], num_images=[65_536])
    assert _refused(data, "--max-seconds .* --max-bytes") < 1 << 20
    assert _refused(data, "file is", UNBOUNDED) < 64 << 20

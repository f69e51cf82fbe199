"""Mutations of files that know how a file is made: (seed, number) always gives the same bytes.

Header fields go to extremes, words and bytes are changed, two files are spliced, and symbols are
told anew; the outer checksum always fits but for a few files, and where new symbols can be drawn
the content checksum fits, too. So what is behind the checks is reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random

from file_parts import SCALARS, Fields, FileParts, sealed, take_apart
from rewriting import Cheap, Disturbed, Tape, crc_of, record, retold

from ddcodec.errors import FormatError
from ddcodec.format.container import unpack_container
from ddcodec.format.header import CONTEXTS_OF, Header
from ddcodec.format.limits import DecodeLimits

CORPUS = Path(__file__).parent / "corpus"
GOLDEN = Path(__file__).parents[1] / "golden"

EXTREMES = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 16, 17, 24, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256),
    *(257, 511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049, 65_535, 65_536, 65_537),
    *(1 << 20, (1 << 20) + 1, 1 << 24, (1 << 28) + 1, (1 << 31) - 1, 1 << 31, 1 << 32),
    *(1 << 53, 1 << 62, (1 << 63) - 1),
)
WORDS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\x01\0\0\0", b"\xff\xff\xff\x7f")

TELLABLE = DecodeLimits(max_seconds=0.1)
"""What a header may ask for whose symbols are told anew: the mutation itself must stay cheap."""

GIANT_BYTES = (120, 200, 300, 500, 1100)
"""Sizes of files that claim much; the largest may claim 4.5 s."""

USUAL_RETOLD_SHARE = 0.2

_CONTEXTS = [
    (synthesis, context) for synthesis in CONTEXTS_OF for context in CONTEXTS_OF[synthesis]
]


@dataclass(frozen=True)
class Original:
    """A file to start from.

    Attributes:
        data: its bytes.
        parts: the file taken apart.
        tape: its symbols.
        num_calls: calls of the coder that it takes.
    """

    data: bytes
    parts: FileParts
    tape: Tape
    num_calls: int


@lru_cache(maxsize=256)
def original(data: bytes) -> Original | None:
    """Return a file to start from, or None for bytes that are none."""
    parts = take_apart(data)
    if parts is None:
        return None
    try:
        container = unpack_container(parts.to_bytes(), TELLABLE)
        tape, num_calls = record(container.header, container.payload)
    except FormatError:
        return Original(data, parts, {}, 1)
    return Original(data, parts, tape, num_calls)


@lru_cache(maxsize=1)
def tiny_files() -> tuple[bytes, ...]:
    """Return files of a few pixels, one of each family and label mode: decoded in milliseconds."""
    return tuple(path.read_bytes() for path in sorted(CORPUS.glob("tiny_*.ddc")))


@lru_cache(maxsize=1)
def golden_files() -> tuple[bytes, ...]:
    """Return the golden files, which have more of everything."""
    return tuple(path.read_bytes() for path in sorted(GOLDEN.glob("*.ddc")))


def mutation(
    seed: int, number: int, files: Sequence[bytes], retold_share: float = USUAL_RETOLD_SHARE
) -> bytes:
    """Return mutation `number` of a seed: the same bytes whenever it is asked for."""
    return mutated(files, Random(f"{seed}/{number}"), retold_share)


def mutated(files: Sequence[bytes], rng: Random, retold_share: float = USUAL_RETOLD_SHARE) -> bytes:
    """Return a mutation of one file, or of two spliced ones.

    Args:
        files: to choose from.
        rng: source of every choice.
        retold_share: how many of the mutations have symbols told anew, 0 … 1; these cost most.
    """
    data = rng.choice(files)
    first = original(data)
    if first is None:
        return _with_changed_bytes(data, rng)
    second = original(rng.choice(files)) or first
    if rng.random() < retold_share:
        return _retold(first, second, rng)
    kind = rng.random()
    if kind < 0.45:
        fields = _to_extremes(first.parts.fields, rng)
        return replace(first.parts, fields=fields, flags=_flags(first.parts.flags, rng)).to_bytes()
    if kind < 0.65:
        return replace(first.parts, payload=_words(first.parts.payload, rng)).to_bytes()
    if kind < 0.85:
        return _spliced(first, second, rng).to_bytes()
    return _with_changed_bytes(first.data, rng)


def cheap_giant(rng: Random) -> bytes:
    """Return a file that claims about all the work its size earns, at next to no bits."""
    file_bytes = rng.choice(GIANT_BYTES)
    usual = DecodeLimits()
    less = replace(usual, max_seconds=usual.seconds_for(file_bytes) / 4)
    while True:
        parts = FileParts(0, _giant_fields(rng), bytes(file_bytes // 4 * 4 - 40), 0)
        if _fits(parts, usual) and not _fits(parts, less):
            break
    header = unpack_container(parts.to_bytes(), usual).header
    payload, _ = retold(header, Cheap(header.context_depth, rng.choice((2000, 20_000))))
    # What is left of the zeros is noticed after the last symbol only.
    return replace(parts, payload=payload + parts.payload[len(payload) :]).to_bytes()


def _fits(parts: FileParts, limits: DecodeLimits) -> bool:
    try:
        unpack_container(parts.to_bytes(), limits)
    except FormatError:
        return False
    return True


def _giant_fields(rng: Random) -> Fields:
    synthesis, context = rng.choice(_CONTEXTS)
    channels = 1 if rng.random() < 0.5 else 3
    is_pixels = synthesis == 4
    widths = [] if is_pixels else [rng.choice((1, 16, 512)) for _ in range(rng.randint(1, 2))]
    images = 1 << rng.randrange(21)
    classes = min(images, rng.choice((1, 2, 1024, 65_536)))
    mode = rng.choice((0, 0, 1, 2))
    layers = [rng.choice((1, 16, 256)), rng.choice((1, 3, 5)), rng.randrange(2), 0]
    numbers = (
        *(classes, images, 1 << rng.randrange(10), 1 << rng.randrange(10)),
        *(channels, 1 if is_pixels else rng.randint(1, 9), rng.choice((1, 1, classes))),
        *(context, rng.choice((8, 32)), rng.choice((1, 8)), synthesis, mode),
    )
    fields = {name: [number] for name, number in zip(SCALARS, numbers, strict=True)}
    fields["synthesis_widths"] = [len(widths), *widths]
    fields["mean"], fields["std"] = [128] * channels, [64] * channels
    fields["hints"] = [0]
    fields["labeler_layers"] = [1, *layers] if mode == 2 else []
    return fields


def _retold(first: Original, second: Original, rng: Random) -> bytes:
    """Return a file whose symbols, and perhaps header, are changed, and which is whole again."""
    fields, flags = first.parts.fields, first.parts.flags
    if rng.random() < 0.4:
        fields, flags = _gently_changed(fields, rng), _flags(flags, rng)
    parts = replace(first.parts, fields=fields, flags=flags)
    try:
        header: Header = unpack_container(parts.to_bytes(), TELLABLE).header
    except FormatError:
        return parts.to_bytes()
    tape = first.tape if rng.random() < 0.9 else second.tape
    targets = {rng.randrange(first.num_calls) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))}
    end = rng.randrange(first.num_calls) if rng.random() < 0.05 else 1 << 62
    wild = rng.randint(1, 20) if rng.random() < 0.15 else -1
    payload, content = retold(header, Disturbed(tape, rng, targets, wild, end))
    crc = first.parts.content_crc
    if content is not None:
        crc = crc_of(header, content)
    return replace(parts, payload=payload, content_crc=crc).to_bytes()


def _gently_changed(fields: Fields, rng: Random) -> Fields:
    """Change a few fields to other values that are likely to be valid."""
    fields = dict(fields)
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice((*SCALARS[:10], "synthesis_id", "label_mode", "widths", "hints"))
        if name in ("num_classes", "num_images", "height", "width", "num_levels", "num_sets"):
            fields[name] = [max(1, fields[name][0] + rng.choice((-2, -1, 1, 2, 5)))]
        elif name == "channels":
            channels = rng.choice((1, 3))
            fields.update(channels=[channels], mean=[128] * channels, std=[64] * channels)
        elif name in ("context_id", "synthesis_id"):
            synthesis, context = rng.choice(_CONTEXTS)
            fields.update(synthesis_id=[synthesis], context_id=[context])
            if synthesis == 4:
                fields.update(num_levels=[1], synthesis_widths=[0])
        elif name == "context_width":
            fields[name] = [rng.choice((8, 16, 24, 32))]
        elif name == "context_depth":
            fields[name] = [rng.randint(1, 8)]
        elif name == "label_mode":
            fields.update(label_mode=[0], labeler_layers=[])
            if rng.random() < 0.7:
                layers = _layers(rng)
                fields.update(label_mode=[2], labeler_layers=[len(layers) // 4, *layers])
            elif rng.random() < 0.7:
                fields.update(label_mode=[1])
        elif name == "widths":
            widths = [rng.choice((1, 2, 5)) for _ in range(rng.randint(0, 8))]
            fields["synthesis_widths"] = [len(widths), *widths]
        else:
            hints = [rng.choice((*range(10), *EXTREMES)) for _ in range(2 * rng.randint(0, 9))]
            fields["hints"] = [len(hints) // 2, *hints]
    return fields


def _layers(rng: Random) -> list[int]:
    layers = []
    for index in range(rng.randint(1, 4)):
        skip = rng.randint(0, index) if rng.random() < 0.5 else 0
        layers += [rng.choice((2, 2, 3)), rng.choice((1, 3, 5)), int(rng.random() < 0.3), skip]
    return layers


def _to_extremes(fields: Fields, rng: Random) -> Fields:
    """Set one to three numbers of the header to extremes, or drop or double some."""
    fields = {name: list(numbers) for name, numbers in fields.items()}
    for _ in range(rng.choice((1, 1, 2, 3))):
        numbers = fields[rng.choice([name for name in fields if fields[name]] or ["hints"])]
        where = rng.randrange(len(numbers)) if numbers else 0
        if numbers and rng.random() < 0.85:
            numbers[where] = rng.choice((*EXTREMES, numbers[where] + 1, max(0, numbers[where] - 1)))
        elif rng.random() < 0.5:
            del numbers[where:]
        else:
            numbers[where:where] = [rng.choice(EXTREMES)] * rng.randint(1, 70)
    return fields


def _flags(flags: int, rng: Random) -> int:
    return flags if rng.random() < 0.8 else rng.choice((flags ^ 1, flags ^ 1, rng.randrange(256)))


def _words(payload: bytes, rng: Random) -> bytes:
    """Change, drop, double or add words of a payload."""
    at = 4 * rng.randrange(len(payload) // 4 + 1)
    kind = rng.randrange(6)
    if kind == 0:
        return payload[:at] + rng.choice(WORDS) * rng.randint(1, 300) + payload[at:]
    if kind == 1:
        return payload[:at] + rng.choice(WORDS) + payload[at + 4 :]
    if kind == 2:
        return payload[:at]
    if kind == 3:
        return payload[:at] + rng.randbytes(4) + payload[at + 4 :]
    if kind == 4:
        return payload[:at] + rng.randbytes(4 * rng.randint(1, 64))
    return payload[at:] + payload[:at]


def _spliced(first: Original, second: Original, rng: Random) -> FileParts:
    """Put parts of two files together."""
    parts, other = first.parts, second.parts
    kind = rng.randrange(3)
    if kind == 0:
        return replace(parts, payload=other.payload, content_crc=other.content_crc)
    if kind == 1:
        at = 4 * rng.randrange(len(parts.payload) // 4 + 1)
        return replace(parts, payload=parts.payload[:at] + other.payload[at:])
    names = rng.sample(sorted(parts.fields), rng.randint(1, 4))
    fields = {name: (other if name in names else parts).fields[name] for name in parts.fields}
    return replace(parts, fields=fields)


def _with_changed_bytes(data: bytes, rng: Random) -> bytes:
    """Change bytes without a look at what they mean; most files are sealed again."""
    body = bytearray(data[:-4])
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(body) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            del body[at : at + rng.randint(1, 9)]
        elif kind == 1:
            body[at:at] = rng.randbytes(rng.randint(1, 9))
        elif kind == 2:
            del body[at:]
        elif at < len(body):
            body[at] = rng.choice((0, 255, 128, 127, body[at] ^ 1 << rng.randrange(8)))
    return sealed(bytes(body)) if rng.random() < 0.9 else bytes(body) + data[-4:]

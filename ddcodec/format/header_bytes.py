"""The header ⇄ bytes: canonical varints, every one of them used."""

from collections.abc import Callable
from dataclasses import fields

from ddcodec.errors import FormatError
from ddcodec.format import limits
from ddcodec.format.header import LABEL_MODE_LABELER, Header
from ddcodec.format.labeler_layers import layer_numbers, read_layers
from ddcodec.format.varint import VarintReader, encode_varint

_LISTS = ("synthesis_widths", "mean", "std", "hints", "labeler_layers")
_SCALAR_FIELDS = [
    field.name for field in fields(Header) if field.name not in (*_LISTS, "has_class_names")
]


def serialize_header(header: Header) -> bytes:
    """Return the header fields as canonical varints (docs/format.md, section 3)."""
    values = [getattr(header, name) for name in _SCALAR_FIELDS]
    values += [len(header.synthesis_widths), *header.synthesis_widths]
    values += [*header.mean, *header.std]
    values += [len(header.hints), *(number for hint in header.hints for number in hint)]
    if header.label_mode == LABEL_MODE_LABELER:
        values += layer_numbers(header.labeler_layers)
    return b"".join(encode_varint(value) for value in values)


def parse_header(data: bytes, has_class_names: bool) -> Header:
    """Read the header fields; every byte must be used.

    Raises:
        FormatError: if a field is missing, out of range, or bytes are left over.
    """
    reader = VarintReader(data)
    scalars = {name: reader.read() for name in _SCALAR_FIELDS}
    widths = _read_list(reader.read, limits.MAX_LAYERS, "decoder layers")
    channels = scalars["channels"]
    if channels > limits.MAX_CHANNELS:
        raise FormatError(f"Images of {channels} channels are not part of version 1 of the format.")
    mean = tuple(reader.read() for _ in range(channels))
    std = tuple(reader.read() for _ in range(channels))
    num_hints = reader.read()
    if num_hints > limits.MAX_HINTS:
        raise FormatError(f"The header lists {num_hints} student hints; at most 64 are allowed.")
    hints = tuple((reader.read(), reader.read()) for _ in range(num_hints))
    has_labeler = scalars["label_mode"] == LABEL_MODE_LABELER
    layers = read_layers(reader.read) if has_labeler else ()
    if not reader.exhausted:
        raise FormatError("The header is longer than its fields; the file is damaged or newer.")
    return Header(
        **scalars,
        synthesis_widths=widths,
        mean=mean,
        std=std,
        hints=hints,
        has_class_names=has_class_names,
        labeler_layers=layers,
    )


def _read_list(read: Callable[[], int], longest: int, what: str) -> tuple[int, ...]:
    count = read()
    if count > longest:
        raise FormatError(f"The header lists {count} {what}; at most {longest} are allowed.")
    return tuple(read() for _ in range(count))

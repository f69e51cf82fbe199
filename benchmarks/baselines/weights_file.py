"""Weights of any network ⇄ bytes by the codec's own weight coder, for comparison with `.ddc` files.

The bytes are a count of facts and the facts as varints, range-coder words, and a CRC-32 of all
before it. What the facts mean, and which tensors follow from them, is the caller's.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

from ddcodec.codec.parameters import NetworkTensors, code_tensor
from ddcodec.entropy.range_coder import RangeDecoder, RangeEncoder
from ddcodec.errors import FormatError
from ddcodec.format.varint import VarintReader, encode_varint

Shapes = Mapping[str, tuple[int, ...]]

_CHECKSUM_BYTES = 4
_MOST_FACTS = 16


def encode_weights(facts: Sequence[int], tensors: NetworkTensors) -> bytes:
    """Return facts and tensors as bytes, tensors in their order."""
    coder = RangeEncoder()
    for tensor in tensors.values():
        code_tensor(coder, tensor, tensor.integers.shape)
    head = b"".join(encode_varint(number) for number in (len(facts), *facts))
    body = head + coder.payload()
    return body + struct.pack("<I", zlib.crc32(body))


def decode_weights(
    data: bytes, shapes_of: Callable[[tuple[int, ...]], Shapes]
) -> tuple[tuple[int, ...], NetworkTensors]:
    """Return what `encode_weights` was given.

    Args:
        data: the bytes.
        shapes_of: returns the tensors that some facts ask for, by name and in order.

    Raises:
        FormatError: if the bytes are damaged.
    """
    body, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if len(data) <= _CHECKSUM_BYTES or struct.pack("<I", zlib.crc32(body)) != checksum:
        raise FormatError("The weights are damaged or truncated: their checksum does not match.")
    reader = VarintReader(body)
    count = reader.read()
    if count > _MOST_FACTS:
        raise FormatError(f"The weights claim {count} facts; at most {_MOST_FACTS} are allowed.")
    facts = tuple(reader.read() for _ in range(count))
    payload = body[reader.position :]
    if len(payload) % 4:
        raise FormatError("The weights are not whole 32-bit words; they are damaged.")
    coder = RangeDecoder(payload)
    tensors = {name: code_tensor(coder, None, shape) for name, shape in shapes_of(facts).items()}
    coder.finish()
    return facts, tensors

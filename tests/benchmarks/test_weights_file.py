"""Weights as bytes: round trip, literal bytes, damage."""

import numpy as np
import pytest
from weights_file import decode_weights, encode_weights

from ddcodec.codec.parameters import QuantizedTensor
from ddcodec.errors import FormatError

TENSORS = {
    "a": QuantizedTensor(np.arange(-6, 6).reshape(3, 4), 3),
    "b": QuantizedTensor(np.array([0, 900, -1]), 12),
}


def _shapes(facts: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {"a": (facts[0], 4), "b": (3,)}


def test_round_trip() -> None:
    """Facts and tensors come back exactly; the facts are varints behind their count."""
    data = encode_weights((3, 300), TENSORS)
    assert data[:4] == bytes([2, 3, 0xAC, 0x02])
    facts, tensors = decode_weights(data, _shapes)
    assert facts == (3, 300) and list(tensors) == ["a", "b"]
    for name, tensor in TENSORS.items():
        assert np.array_equal(tensors[name].integers, tensor.integers)
        assert tensors[name].step_exponent == tensor.step_exponent


def test_damage() -> None:
    """Every byte is covered by the checksum, and so is the end."""
    data = encode_weights((3, 300), TENSORS)
    for index in range(len(data)):
        damaged = data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]
        with pytest.raises(FormatError, match="checksum"):
            decode_weights(damaged, _shapes)
    for end in range(len(data)):
        with pytest.raises(FormatError, match="checksum"):
            decode_weights(data[:end], _shapes)


def test_too_many_facts() -> None:
    """More facts than any network has are refused."""
    with pytest.raises(FormatError, match="claim 17 facts"):
        decode_weights(encode_weights(range(17), {}), lambda facts: {})

"""Variable-length integers: one spelling each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.errors import FormatError
from ddcodec.format.varint import VarintReader, encode_varint


@pytest.mark.parametrize(
    ("value", "spelling"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2**63 - 1, "ffffffffffffffff7f"),
    ],
)
def test_literal_bytes(value: int, spelling: str) -> None:
    """Known values have known bytes in both directions."""
    assert encode_varint(value).hex() == spelling
    assert VarintReader(bytes.fromhex(spelling)).read() == value


@given(st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 300)))
def test_sequence_round_trip(values: list[int]) -> None:
    """Numbers written one after another are read back, and nothing is left over."""
    reader = VarintReader(b"".join(map(encode_varint, values)))
    assert [reader.read() for _ in values] == values
    assert reader.exhausted


@given(st.binary(max_size=12))
def test_every_accepted_spelling_is_canonical(data: bytes) -> None:
    """Whatever bytes are accepted are exactly what the encoder would write."""
    reader = VarintReader(data)
    try:
        value = reader.read()
    except FormatError:
        return
    assert encode_varint(value) == data[: reader.position]


@pytest.mark.parametrize(
    "spelling", ["", "80", "ffff", "8000", "ff00", "808000", "80" * 9 + "01", "ff" * 9]
)
def test_irregular_spellings_are_refused(spelling: str) -> None:
    """Missing bytes, spare bytes and numbers beyond 63 bits are refused."""
    with pytest.raises(FormatError):
        VarintReader(bytes.fromhex(spelling)).read()


@pytest.mark.parametrize("value", [-1, 2**63])
def test_values_out_of_range_are_not_written(value: int) -> None:
    """The encoder does not write what no decoder may read."""
    with pytest.raises(ValueError, match="does not fit"):
        encode_varint(value)

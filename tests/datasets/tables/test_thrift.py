"""Thrift's compact protocol is gone through without making anything of it."""

import io

import pytest

from ddcodec.datasets.tables.thrift import INT32, STRUCTURE, Fields, ThriftReader


def _read(data: bytes, most_values: int = 100) -> Fields:
    return ThriftReader(io.BytesIO(data), len(data), most_values).structure()


def test_numbers_and_structures() -> None:
    """Of a page: its type, its sizes, and the number of its values."""
    data = bytes.fromhex("15 04 15 f0 01 15 10 2c 15 02 00 00")
    assert _read(data) == {
        (1, INT32): 2,
        (2, INT32): 120,
        (3, INT32): 8,
        (5, STRUCTURE): {(1, INT32): 1},
    }


def test_whatever_else_there_is() -> None:
    """Texts, lists, maps, truth and fractions are passed over."""
    parts = (
        "11", "18 02 61 62", "19 25 02 04", "1b 01 85 01 61 02", "1b 00", "17 0000000000000000",
        "13 07", "19 21 01 02", "15 09", "00",
    )  # fmt: skip
    assert _read(bytes.fromhex(" ".join(parts))) == {(9, INT32): -5}


def test_a_field_of_two_types_is_there_twice() -> None:
    """A size of 64 bits, which others pass over, hides none of 32."""
    assert _read(bytes.fromhex("15 02 06 02 04 00")) == {(1, 5): 1, (1, 6): 2}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("15 04", "ends early"),
        ("18 7f 61", "ends early"),
        ("19 fc ff ff ff 7f", "more parts"),
        ("15 ff ff ff ff ff ff ff ff ff ff 01", "damaged"),
        ("1d 00", "damaged"),
        ("1c " * 40, "deep"),
    ],
)
def test_damaged(data: str, message: str) -> None:
    """What ends early, never ends, or claims more than there may be."""
    with pytest.raises(ValueError, match=message):
        _read(bytes.fromhex(data))


def test_values_are_counted() -> None:
    """Four fields are four values."""
    data = bytes.fromhex("15 02 15 02 15 02 15 02 00")
    assert len(_read(data, 4)) == 4
    with pytest.raises(ValueError, match="more parts"):
        _read(data, 3)

"""Bits per class and bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.budget import TARGET_FILL, Budget, bits_per_class, parse_bytes
from ddcodec.errors import BudgetError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("640", 640),
        ("10k", 10_000),
        ("10kB", 10_000),
        ("10KB", 10_000),
        ("10KiB", 10_240),
        ("80kbit", 10_000),
        ("8 bits", 1),
        ("1.5M", 1_500_000),
        ("2MiB", 2_097_152),
        (" 3 k ", 3000),
        ("1e4", 10_000),
        ("1 byte", 1),
        ("12 bit", 1.5),
        ("0.5k", 500),
        ("8Mbit", 1_000_000),
    ],
)
def test_sizes(text: str, size: float) -> None:
    """Bare numbers are bytes, `k` is a thousand, other units say what they are."""
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "k", "10x", "-3k", "10 k k", "ten", "1,000", "0x10", "nan", "inf", "10k!", ".5k"]
)
def test_what_is_not_a_size(text: str) -> None:
    """Anything else is refused with the text and a hint."""
    with pytest.raises(BudgetError, match="is not a size; write bytes such as 10k"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["0", "0.0k", "0bit"])
def test_nothing_is_no_budget(text: str) -> None:
    """A size of zero is refused."""
    with pytest.raises(BudgetError, match="no room"):
        parse_bytes(text)


def test_bits_per_class() -> None:
    """Bits per class are eight times the file size over the classes."""
    assert bits_per_class(100_000, 10) == 80_000
    assert bits_per_class(1, 3) == pytest.approx(8 / 3)


def test_budget_of_ten_classes() -> None:
    """A budget is a whole number of bytes that is met from 97 % to 100 %."""
    budget = Budget(10_000, 10)
    assert budget.budget_bytes == 100_000
    assert budget.floor_bytes == 97_000
    assert [budget.holds(size) for size in (96_999, 97_000, 100_000, 100_001)] == [
        False, True, True, False,
    ]  # fmt: skip


@given(st.floats(0.5, 1e6), st.integers(1, 1000))
def test_budget_bounds(bytes_per_class: float, num_classes: int) -> None:
    """The limit is never exceeded by rounding, and the floor never lies below 97 % of it."""
    budget = Budget(bytes_per_class, num_classes)
    assert budget.budget_bytes <= bytes_per_class * num_classes < budget.budget_bytes + 1
    assert budget.floor_bytes >= TARGET_FILL * budget.budget_bytes > budget.floor_bytes - 1

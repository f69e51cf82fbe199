"""Classes by name, by number and by range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.codec.labels.chosen_classes import Classes, chosen_classes
from ddcodec.errors import DataError

NAMES = ("cat", "0", "owl", "snow leopard", "1-2", "owl")


@pytest.mark.parametrize(
    ("classes", "numbers"),
    [
        ("cat", [0]),
        ("3,cat", [0, 3]),
        (" owl , 3 , owl", [2, 3]),  # the first owl
        ("5", [5]),
        ("0", [1]),  # a name comes first
        ("1-2", [4]),  # likewise
        ("1-3", [1, 2, 3]),
        ("4-4,05", [4, 5]),
        ([0, "0", 5], [0, 1, 5]),
        (np.array([3, 2]), [2, 3]),
        (range(2), [0, 1]),
    ],
)
def test_what_a_choice_means(classes: Classes, numbers: list[int]) -> None:
    """Names first, then numbers; ranges have both of their ends; rising, each once."""
    chosen = chosen_classes(classes, NAMES)
    assert chosen.tolist() == numbers and chosen.dtype == np.int64


@pytest.mark.parametrize(
    "part", ["6", "-1", "4-6", "3-2", "Cat", "0:3", "²", "9" * 5000, "-", "", "2-"]
)
def test_what_does_not_exist_is_named(part: str) -> None:
    """One sentence with the first names, for numbers out of range, too."""
    with pytest.raises(DataError) as error:
        chosen_classes(f"cat,{part}", NAMES)
    assert str(error.value) == (
        f"The file has no class '{part}'; its classes are cat, 0, owl, snow leopard, 1-2, owl."
    )


def test_many_classes_and_odd_names_are_shown_in_short() -> None:
    """Ten names at most, and none that commands a terminal."""
    names = ("a\x1b[2J", *(f"{number:03}" for number in range(1, 1000)))
    with pytest.raises(
        DataError, match=r"1000'; its classes are a�\[2J, 001, .*, 009, … \(1000 in"
    ):
        chosen_classes("1000", names)


@pytest.mark.parametrize("classes", [[], ()])
def test_no_class_is_a_mistake(classes: Classes) -> None:
    """Nothing at all was meant to be something."""
    with pytest.raises(DataError, match="No class is named"):
        chosen_classes(classes, NAMES)


@given(st.integers(1, 300), st.data())
def test_ranges_are_the_numbers_in_them(count: int, data: st.DataObject) -> None:
    """Any range of any file, of whatever names."""
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first, count - 1))
    names = tuple(f"class {number}" for number in range(count))
    assert chosen_classes(f"{first}-{last}", names).tolist() == list(range(first, last + 1))

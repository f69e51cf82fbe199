"""Which images `--images` and `--classes` select."""

import pytest
from export.golden_files import golden, named
from hypothesis import given
from hypothesis import strategies as st

from ddcodec.errors import DataError, RecipeError
from ddcodec.export import parse_images, select_images

ENDS = st.one_of(st.none(), st.integers(-8, 8))


def test_ranges_are_read() -> None:
    """Numbers and ranges as Python writes them."""
    assert parse_images("0:50, 60,-10:,::2") == (
        slice(0, 50), 60, slice(-10, None), slice(None, None, 2),
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "a", "1-3", "1:2:0", "1:2:3:4", "1,,2", "1.5", "²"])
def test_other_texts_are_refused(text: str) -> None:
    """One sentence that shows how to write it."""
    with pytest.raises(RecipeError, match="write numbers and ranges"):
        parse_images(text)


@given(ENDS, ENDS, st.one_of(st.none(), st.integers(1, 3)))
def test_ranges_mean_what_python_means(
    start: int | None, stop: int | None, step: int | None
) -> None:
    """A range selects what slicing the file's images would."""
    wanted = list(range(6))[start:stop:step]
    if wanted:
        assert select_images(golden("sets"), [slice(start, stop, step)]).tolist() == wanted
    else:
        with pytest.raises(RecipeError, match="No image is selected"):
            select_images(golden("sets"), [slice(start, stop, step)])


def test_classes_by_name_and_number() -> None:
    """A name comes first, also one that looks like a number; both selections have to agree."""
    decoded = named("cat", "0", "owl")
    labels = decoded.labels.tolist()
    of = {label: [i for i, own in enumerate(labels) if own == label] for label in range(3)}
    assert select_images(decoded, None, ["cat"]).tolist() == of[0]
    assert select_images(decoded, None, ["0"]).tolist() == of[1]
    assert select_images(decoded, None, ["owl", "cat", "2"]).tolist() == of[0] + of[2]
    assert select_images(decoded, [slice(1, 6)], ["cat"]).tolist() == [i for i in of[0] if i]
    assert select_images(decoded).tolist() == list(range(6))
    assert select_images(decoded, [3, 0, 3, -1]).tolist() == [0, 3, 5]


def test_what_does_not_exist_is_named() -> None:
    """Unknown classes and images out of range."""
    decoded = named("cat", "dog", "owl")
    with pytest.raises(DataError, match=r"no class 'cta'; its classes are cat, dog, owl\."):
        select_images(decoded, None, ["cta"])
    for number in (6, -7):
        with pytest.raises(RecipeError, match=f"no image {number}; the file holds 6"):
            select_images(decoded, [number])
    with pytest.raises(RecipeError, match="No image is selected"):
        select_images(golden("sets"), [slice(0, 1)], ["2"])

"""The embedded digits and longer numbers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

from ddcodec.datasets import DATASETS, generate_glyphs, load_dataset
from ddcodec.datasets.sources import glyph_drawing, glyphs
from ddcodec.errors import DataError


def test_shapes_and_labels() -> None:
    """Images are N×3×32×32 bytes; labels run through the digits."""
    split = generate_glyphs(25, seed=3)
    assert split.images.shape == (25, 3, 32, 32)
    assert split.images.dtype == np.uint8
    assert split.labels.dtype == np.int64
    assert split.labels.tolist() == [index % 10 for index in range(25)]


def test_seed_decides_every_image() -> None:
    """The same seed draws the same images; another seed draws others throughout."""
    first, again, other = (generate_glyphs(20, seed).images for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_image_does_not_depend_on_chunking() -> None:
    """Image n is the same drawn alone, in a chunk, or in a longer run."""
    whole = generate_glyphs(24, seed=7)
    parts = [generate_glyphs(count, 7, start) for count, start in ((5, 0), (1, 5), (18, 6))]
    assert np.array_equal(whole.images, np.concatenate([part.images for part in parts]))
    assert np.array_equal(whole.labels, np.concatenate([part.labels for part in parts]))


def test_images_are_all_different_and_varied() -> None:
    """No two images are alike, and each has contrast to show a digit with."""
    images = generate_glyphs(100, seed=0).images
    assert len({image.tobytes() for image in images}) == 100
    assert images.reshape(100, -1).std(axis=1).min() > 10


def test_same_clutter_shows_the_digit_asked_for() -> None:
    """With equal random choices, only the digit's own pixels differ."""
    one, eight = (
        glyph_drawing.draw_glyph(digit, np.random.default_rng(5)).astype(int) for digit in "18"
    )
    changed = np.abs(one - eight).max(axis=0) > 0
    assert 10 < changed.sum() < 500


def test_negative_arguments() -> None:
    """Negative counts and seeds are errors."""
    with pytest.raises(DataError, match="0 or more"):
        generate_glyphs(-1, seed=0)
    with pytest.raises(DataError, match="0 or more"):
        generate_glyphs(1, seed=-1)


@pytest.mark.parametrize("num_classes", [0, 1001])
def test_numbers_of_classes_out_of_range(num_classes: int) -> None:
    """No class cannot be drawn, nor a number of four digits."""
    with pytest.raises(DataError, match=rf"1 to 1000 classes, not {num_classes}\."):
        generate_glyphs(1, seed=0, num_classes=num_classes)


@pytest.mark.parametrize(
    ("name", "first", "last", "train_images"),
    [
        ("glyphs", "0", "9", 60_000),
        ("glyphs-50", "00", "49", 60_000),
        ("glyphs-200", "000", "199", 60_000),
        ("glyphs-1000", "000", "999", 100_000),
    ],
)
def test_classes_are_numbers_of_one_length(
    name: str, first: str, last: str, train_images: int
) -> None:
    """A class is called by its number with leading zeros; many classes have more images."""
    names = glyphs.class_names_of(DATASETS[name].num_classes)
    assert (names[0], names[-1]) == (first, last)
    assert DATASETS[name].train_images == train_images


def test_long_numbers_fit_the_image() -> None:
    """Of three digits the outer ones are seen, too: exchanging one changes its side."""
    drawn = {
        number: glyph_drawing.draw_glyph(number, np.random.default_rng(5)).astype(int)
        for number in ("488", "188", "884", "881", "888")
    }
    for number, other, where in (("488", "188", slice(0, 16)), ("884", "881", slice(16, 32))):
        changed = np.abs(drawn[number] - drawn[other]).max(axis=0) > 0
        assert changed[:, where].sum() > 10
        assert changed[:, where].sum() > 0.9 * changed.sum()


def test_many_classes_are_drawn_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset of 50 classes has names, labels and a place in the cache of its own."""
    monkeypatch.setattr(glyphs, "TRAIN_IMAGES", 100)
    monkeypatch.setattr(glyphs, "TEST_IMAGES", 50)
    dataset = load_dataset("glyphs-50", cache_dir=tmp_path)
    assert dataset.name == "glyphs-50"
    assert dataset.class_names[:2] == ("00", "01")
    assert dataset.train.labels.tolist() == [*range(50), *range(50)]
    assert dataset.test is not None
    assert len(dataset.test) == 50


def test_train_and_test_do_not_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two splits are drawn from different sequences."""
    monkeypatch.setattr(glyphs, "TRAIN_IMAGES", 40)
    monkeypatch.setattr(glyphs, "TEST_IMAGES", 40)
    dataset = load_dataset("glyphs", cache_dir=tmp_path)
    assert dataset.test is not None
    train = {image.tobytes() for image in dataset.train.images}
    assert train.isdisjoint(image.tobytes() for image in dataset.test.images)
    assert np.array_equal(dataset.train.images, generate_glyphs(40, glyphs.TRAIN_SEED).images)


def test_another_pillow_draws_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache does not pass one Pillow's font off as another's."""
    monkeypatch.setattr(glyphs, "TRAIN_IMAGES", 10)
    monkeypatch.setattr(glyphs, "TEST_IMAGES", 10)
    load_dataset("glyphs", cache_dir=tmp_path)
    monkeypatch.setattr("PIL.__version__", "0.0")
    load_dataset("glyphs", cache_dir=tmp_path)
    assert len(list((tmp_path / "datasets").iterdir())) == 2


def test_data_is_refused(tmp_path: Path) -> None:
    """The glyphs are drawn, so a folder for them is a mistake."""
    with pytest.raises(DataError, match=r"'glyphs' is drawn .* takes no --data"):
        load_dataset("glyphs", tmp_path, tmp_path)


def test_pillow_without_its_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Pillow without FreeType is reported in a sentence."""

    def missing(size: float) -> None:
        raise ImportError("The _imagingft C module is not installed")

    glyph_drawing._font.cache_clear()
    glyph_drawing._character.cache_clear()
    monkeypatch.setattr(ImageFont, "load_default", missing)
    with pytest.raises(DataError, match="scalable font"):
        generate_glyphs(1, seed=0)

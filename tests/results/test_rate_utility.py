"""Rate–utility pictures: curves of points, published points, shares of bytes."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from ddcodec.errors import DataError
from ddcodec.results.drawing import PICTURE_FORMATS
from ddcodec.results.peers import ORIGINS, STORAGES, _table, dataset_key, full_data_of, peers_of
from ddcodec.results.rate_utility import (
    FileShares,
    Published,
    _footnote,
    _heading,
    draw_allocation,
    draw_rate_utility,
    series_of,
)
from ddcodec.results.runs import SHIP, Evaluation, Point

_MAGIC = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def _point(loss: str, bits: float, *accuracies: float, seed: int = 0) -> Point:
    evaluation = Evaluation("cifar10", "quick", "convnet", "test", 1, bits, accuracies, 10)
    return Point(f"{loss}-{bits}", loss, seed, evaluation)


POINTS = [
    _point("none", 80_000, 54.0, 56.0),
    _point(SHIP, 79_000, 75.0),
    _point("dm", 80_000, 59.0, 61.0),
    _point("dm", 8_000, 40.0),
    _point("dm", 80_100, 63.0, seed=1),
]


def test_series() -> None:
    """A curve a loss, baselines last; seeds at one rate are one point over all networks."""
    dm, none, ship = series_of(POINTS)
    assert [line.name for line in (dm, none, ship)] == [
        "dm", "coded real images", "ship the model (quick)",
    ]  # fmt: skip
    assert (dm.bits_per_class, dm.mean) == ([8_000, 80_050], [40.0, 61.0])
    assert dm.deviation == pytest.approx([0.0, 1.632993])
    assert (none.mean, none.deviation) == ([55.0], [1.0])
    other = replace(POINTS[0], evaluation=replace(POINTS[0].evaluation, protocol="standard"))
    names = [line.name for line in series_of([other, POINTS[2]])]
    assert names == ["dm (quick, convnet)", "coded real images (standard, convnet)"]


def test_heading() -> None:
    """It names what all points share."""
    assert _heading(POINTS) == "cifar10, protocol quick, convnet, 1 to 2 networks a file"


@pytest.mark.parametrize("picture_format", PICTURE_FORMATS)
def test_formats(picture_format: str) -> None:
    """Each format is what it says, and equal points give equal bytes."""
    published = Published(peers_of("cifar10"), full_data_of("cifar10"))
    drawn = draw_rate_utility(POINTS, published, picture_format)
    assert drawn.startswith(_MAGIC[picture_format])
    assert drawn == draw_rate_utility(POINTS, published, picture_format)


def test_names_are_in_the_picture() -> None:
    """The SVG writes text as paths with a comment: curves, baselines and peers are all there."""
    published = Published(peers_of("cifar10", ("TM-RUO", "DM")), full_data_of("cifar10"))
    drawn = draw_rate_utility(POINTS, published, "svg").decode()
    for text in ("coded real images", "ship the model (quick)", "TM-RUO †", "full data, ConvNetD3"):
        assert f"<!-- {text} -->" in drawn
    assert "<!-- MTT -->" not in drawn
    assert "<!-- DM -->" not in draw_rate_utility(POINTS, None, "svg").decode()


def test_several_datasets_are_refused() -> None:
    """They do not belong into one picture."""
    other = replace(POINTS[0], evaluation=replace(POINTS[0].evaluation, dataset="glyphs"))
    with pytest.raises(DataError, match=r"several datasets \(cifar10, glyphs\)"):
        draw_rate_utility([POINTS[0], other], None, "png")


def test_allocation() -> None:
    """Shares of files become a picture whose height follows their number."""
    percent = {"explicit": 95.1, "implicit": 4.1, "container": 0.8}
    rows = [FileShares(f"dm-{number}", "dm", 10.0**number, percent) for number in (4, 5)]
    rows.append(FileShares("none-4", "none", 1e4, percent))
    few = Image.open(io.BytesIO(draw_allocation(rows, "png")))
    many = Image.open(io.BytesIO(draw_allocation(rows * 5, "png")))
    assert few.size == (1400, 520) and many.size == (1400, 900)
    drawn = draw_allocation(rows, "svg").decode()
    for text in ("explicit: latents, labels", "implicit: networks", "dm-4", "none-4"):
        assert f"<!-- {text} -->" in drawn


# Published points


def test_every_published_point_is_plausible() -> None:
    """Each method has as many rates as accuracies, rising rates, a known origin and a source."""
    for peer in _table()[0]:
        assert len(peer.bits_per_class) == len(peer.accuracy) > 0, peer.name
        assert list(peer.bits_per_class) == sorted(set(peer.bits_per_class)), peer.name
        assert all(0 < value < 100 for value in peer.accuracy), peer.name
        assert peer.origin in ORIGINS and peer.storage in STORAGES, peer.name
        assert peer.source and peer.student.startswith("ConvNetD"), peer.name
        assert peer.dataset == dataset_key(peer.dataset), peer.name


def test_known_points() -> None:
    """Literal figures: 120 kB of 1024 bytes a class are 983,040 bits."""
    (peer,) = peers_of("cifar10", ("NCFM",))
    assert peer.bits_per_class == (98_304, 983_040, 4_915_200)
    assert peer.accuracy == (49.5, 71.8, 77.4)
    (ruo,) = peers_of("ImageNette-128", ("TM-RUO",))
    assert (ruo.bits_per_class[0], ruo.accuracy[0], ruo.storage) == (24_900, 49.2, "estimate")
    full = full_data_of("cifar100")
    assert full is not None and full.accuracy == 56.2
    assert full_data_of("glyphs") is None


def test_footnote() -> None:
    """It explains the marks that occur, and no others."""
    (ruo,) = peers_of("cifar10", ("TM-RUO",))
    assert _footnote(Published([ruo], None)) == (
        "Grey: published points, protocol standard, ConvNetD3. †: read off a figure."
    )
    assert "float32" in _footnote(Published(peers_of("cifar10", ("DM",)), None))


def test_unknown_peers() -> None:
    """A dataset nobody has published on, and a method nobody has heard of."""
    with pytest.raises(DataError, match="No points are published for 'glyphs', only for cifar10"):
        peers_of("glyphs")
    with pytest.raises(DataError, match="No points of 'XYZ' are known for 'cifar10'; known:"):
        peers_of("cifar10", ("XYZ",))

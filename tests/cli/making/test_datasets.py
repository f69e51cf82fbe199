"""`ddc datasets`, and images of one's own at any size."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from refusals import fails

from ddcodec.cli import ddc
from ddcodec.codec.decode import decode_bytes
from ddcodec.datasets import DATASETS, load_dataset
from ddcodec.datasets.sources import glyphs

QUICK = ["--bpc", "500", "--fit-steps", "3", "--steps", "2", "--spc", "2", "--synthesis", "4"]
QUICK += ["--loss", "none"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with a cache outside it."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """An image folder of two classes whose images have different sizes."""
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for index in range(6):
                shape = (20 + index, 30 - index, 3)
                pixels = generator.integers(60 * label, 60 * label + 120, shape)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    return tmp_path / "photos"


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(ddc, [str(argument) for argument in arguments])


def _shape(path: str) -> Sequence[int]:
    return decode_bytes(Path(path).read_bytes()).images.shape


def test_list() -> None:
    """Every named dataset has a row and a source; an empty cache holds nothing."""
    result = _run("datasets")
    assert result.exit_code == 0 and result.stderr == ""
    rows = [line.split() for line in result.stdout.splitlines()]
    for name, dataset in DATASETS.items():
        assert any(row[:2] == [name, str(dataset.num_classes)] for row in rows), name
        assert [name, *dataset.home.split()] in rows
    cifar = "cifar100 100 32x32x3 50,000 10,000 169 MB -"
    assert cifar.split() in rows
    assert all(len(line) <= 80 for line in result.stdout.splitlines() if "Cache:" not in line)


def test_what_is_cached(photos: Path) -> None:
    """Decoded arrays, downloads and unfinished ones count; data of one's own stands apart."""
    load_dataset("cifar10", photos, size=16)
    load_dataset("photos", photos, size=16)
    downloads = Path("../cache/downloads")
    downloads.mkdir()
    (downloads / "cifar-10-python.tar.gz.part").write_bytes(bytes(1234))
    facts = json.loads(_run("datasets", "--json").stdout)
    rows = {row["name"]: row for row in facts["datasets"]}
    assert list(rows) == list(DATASETS)
    assert rows["cifar10"]["downloaded_bytes"] == 1234
    assert rows["cifar10"]["download_bytes"] == 170_498_071
    # 24 images of 16x16x3, their labels, and headers.
    assert 18_432 < rows["cifar10"]["decoded_bytes"] < 20_000
    assert facts["other_decoded_bytes"] == {"photos": rows["cifar10"]["decoded_bytes"]}
    assert rows["mnist"]["decoded_bytes"] == rows["mnist"]["downloaded_bytes"] == 0
    assert rows["imagenette128"]["download_bytes"] is None
    assert "Of your own: photos, <1 MB" in _run("datasets").stdout


def test_images_of_unequal_size(photos: Path) -> None:
    """Without a size there is one sentence that names the option."""
    fails(_run("distill", photos, *QUICK), 1, "has 29x21 pixels but", "--size N")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(("size", "shape"), [("12", (12, 12)), ("8x16", (8, 16))])
def test_size(photos: Path, size: str, shape: tuple[int, int]) -> None:
    """Images of any size become those of a file, which is evaluated at the same size."""
    result = _run("distill", photos, *QUICK, "--size", size, "-o", "x.ddc")
    assert result.exit_code == 0, result.output
    assert _shape("x.ddc") == (4, 3, *shape)
    arguments = ("eval", "x.ddc", "--data", photos, "--protocol", "glance")
    fails(_run(*arguments), 1, "--size N")
    fails(_run(*arguments, "--size", "20"), 1, "'photos' has 20x20x3")


@pytest.mark.parametrize("size", ["0", "513", "big", "8x", "8x8x8", "-1"])
def test_wrong_size(photos: Path, size: str) -> None:
    """A size that is none is a usage error."""
    fails(_run("distill", photos, *QUICK, "--size", size), 2, "--size", "size")


def test_size_of_a_recipe_and_a_record(photos: Path) -> None:
    """A recipe may name the size; the record keeps it, so that the run can be repeated."""
    Path("mine.toml").write_text(f'dataset = "{photos}"\nsize = 12\n')
    result = _run("distill", "--recipe", "mine.toml", *QUICK, "--record", "-o", "x.ddc")
    assert result.exit_code == 0, result.output
    assert json.loads(Path("x.ddc.json").read_text())["dataset"]["size"] == "12"
    again = _run("distill", "--recipe", "x.ddc.json", "-o", "again.ddc")
    assert again.exit_code == 0, again.output
    assert Path("again.ddc").read_bytes() == Path("x.ddc").read_bytes()
    other = _run("distill", "--recipe", "x.ddc.json", "--size", "16", "-o", "other.ddc")
    fails(other, 1, "the record of another dataset")
    Path("mine.toml").write_text(f'dataset = "{photos}"\nsize = "huge"\n')
    fails(_run("distill", "--recipe", "mine.toml", *QUICK), 1, "'huge' is not a size")


def test_npz() -> None:
    """Arrays in an .npz are a dataset, called by the file."""
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    np.savez("birds.npz", images=images, labels=np.arange(12) % 2, class_names=["owl", "kite"])
    result = _run("distill", "birds.npz", *QUICK)
    assert result.exit_code == 0, result.output
    decoded = decode_bytes(Path("birds-500.ddc").read_bytes())
    assert decoded.class_names == ("owl", "kite")
    assert decoded.images.shape == (4, 3, 8, 8)


def test_check_of_a_path(photos: Path) -> None:
    """What would be read is told: classes, images, sizes, and what was decided."""
    (photos / "dev").mkdir()
    Image.new("L", (9, 9)).save(photos / "dev" / "stray.png")
    result = _run("datasets", photos, "--size", "16")
    assert result.exit_code == 0, result.stderr
    facts = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert ["classes", "2: cat, dog"] in facts
    assert ["images", "16x16x3"] in facts
    assert ["training", "images  12"] in facts
    assert ["smallest", "class   cat, 6"] in facts
    assert ["test", "images      12"] in facts
    assert ["note", "Brought to 16x16: 24 images."] in facts
    assert ["note", "Without a label and left out: 1 image in dev/."] in facts
    summary = json.loads(_run("datasets", photos, "--size", "16", "--json").stdout)
    assert summary["class_names"] == ["cat", "dog"] and summary["train_images"] == 12
    assert summary["notes"][0].endswith("1 image in dev/.")


def test_check_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A known name is checked likewise; an unknown one is refused."""
    monkeypatch.setattr(glyphs, "TRAIN_IMAGES", 30)
    monkeypatch.setattr(glyphs, "TEST_IMAGES", 10)
    summary = json.loads(_run("datasets", "glyphs", "--json").stdout)
    assert (summary["classes"], summary["train_images"], summary["notes"]) == (10, 30, [])
    fails(_run("datasets", "nothere"), 1, "Unknown dataset 'nothere'")


def test_what_was_read_is_said(photos: Path) -> None:
    """Before the work starts, with what was left out."""
    (photos / "dev").mkdir()
    Image.new("L", (9, 9)).save(photos / "dev" / "stray.png")
    result = _run("distill", photos, "--size", "16", *QUICK, "-o", "x.ddc")
    assert result.exit_code == 0, result.stderr
    said = result.stderr.splitlines()
    assert (
        "ddc: photos: 2 classes, 12 training images (6 in each class), 12 test images, 16x16x3."
        in said
    )
    assert "ddc: Without a label and left out: 1 image in dev/." in said


def test_cache_limit(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit is said to be passed, changes no byte of a file, and has to be a size."""
    said = _run("datasets", photos, "--size", "8", "--cache-limit", "1k")
    assert "5 of 24 are kept, the others are decoded when needed." in said.stdout
    for limit, cache, name in (("1k", "limited", "a"), ("1G", "whole", "b")):
        monkeypatch.setenv("DDC_CACHE", str(tmp_path / cache))
        made = _run(
            "distill", photos, *QUICK, "--size", "16", "--cache-limit", limit, "-o", f"{name}.ddc"
        )
        assert made.exit_code == 0, made.stderr
        assert ("above the cache limit" in made.stderr) == (name == "a")
        kept = sum(np.load(file).nbytes for file in (tmp_path / cache).rglob("*_images.npy"))
        assert kept == (768 if name == "a" else 24 * 768)
    assert Path("a.ddc").read_bytes() == Path("b.ddc").read_bytes()
    wrong = _run("datasets", photos, "--cache-limit", "much")
    assert wrong.exit_code == 2 and "write a size such as 500M or 2G" in wrong.stderr


def test_cache_limit_of_a_named_dataset() -> None:
    """What is kept as a whole is refused above the limit, and nothing is left in the cache."""
    result = _run("datasets", "glyphs", "--cache-limit", "1M")
    fails(result, 1, "above the cache limit of 1.0 MB", "raise --cache-limit")
    assert not list(Path("../cache").rglob("*.npy"))

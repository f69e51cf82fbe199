"""Names, paths and the contract every named dataset keeps."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from image_trees import split_tree, write_folder, write_source
from official_files import OFFICIAL

from ddcodec.datasets import DATASETS, Dataset, load_dataset
from ddcodec.datasets.sources import glyphs
from ddcodec.errors import DataError


def load_small(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int | None = None
) -> Dataset:
    """Load a named dataset kept small: glyphs by its constants, others from tiny files."""
    monkeypatch.setattr(glyphs, "TRAIN_IMAGES", 30)
    monkeypatch.setattr(glyphs, "TEST_IMAGES", 10)
    monkeypatch.setattr(glyphs, "MANY_TRAIN_IMAGES", 30)
    data = None
    if name in OFFICIAL:
        data = write_source(tmp_path, ".zip", OFFICIAL[name])
    return load_dataset(name, data, tmp_path / "cache", size=size)


@pytest.mark.parametrize("name", DATASETS)
def test_contract(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every named dataset has the promised shapes, types and ranges, twice alike."""
    facts = DATASETS[name]
    dataset = load_small(name, tmp_path, monkeypatch)
    assert dataset.name == name
    assert dataset.test is not None
    num_classes = 2 if name == "tiny-imagenet" else facts.num_classes
    assert len(set(dataset.class_names)) == dataset.num_classes == num_classes
    assert (dataset.channels, dataset.height, dataset.width) == facts.shape
    assert len(dataset.fingerprint) == 64
    int(dataset.fingerprint, 16)
    for split in (dataset.train, dataset.test):
        assert split.images.dtype == np.uint8
        assert split.labels.dtype == np.int64
        assert split.images.shape[1:] == facts.shape
        assert split.labels.shape == (len(split.images),) == (len(split),)
        assert 0 <= split.labels.min() <= split.labels.max() < dataset.num_classes
        assert not split.images.flags.writeable
    again = load_small(name, tmp_path, monkeypatch)
    assert again.fingerprint == dataset.fingerprint
    assert np.array_equal(again.train.images, dataset.train.images)


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_at_any_size(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every named dataset can be asked for at another size, with the same labels."""
    dataset = load_small(name, tmp_path, monkeypatch)
    small = load_small(name, tmp_path, monkeypatch, size=16)
    assert dataset.test is not None and small.test is not None
    for split, resized in ((dataset.train, small.train), (dataset.test, small.test)):
        assert resized.images.shape == (len(split), dataset.channels, 16, 16)
        assert np.array_equal(resized.labels, split.labels)
    assert small.class_names == dataset.class_names
    assert small.fingerprint != dataset.fingerprint
    means = [split.images.mean() for split in (small.train, dataset.train)]
    assert means[0] == pytest.approx(means[1], abs=2.0)


@pytest.mark.parametrize("name", DATASETS)
def test_facts(name: str) -> None:
    """What is said of a dataset beforehand makes sense."""
    facts = DATASETS[name]
    assert facts.num_classes >= 10
    assert facts.shape[0] in (1, 3)
    assert facts.train_images is None or facts.train_images % 1 == 0 < facts.train_images
    assert facts.test_images is None or facts.test_images > 0
    assert facts.home


@pytest.mark.parametrize("kind", ["", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz"])
def test_path_as_name(tmp_path: Path, kind: str) -> None:
    """A path in place of a name loads the tree there, called by its stem."""
    source = write_source(tmp_path, kind, split_tree())
    dataset = load_dataset(str(source), cache_dir=tmp_path / "cache")
    assert dataset.name == "insects"
    assert len(dataset.train) == 5


def test_folder_with_a_dot_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only archives lose a suffix; `.` is called by the folder it is."""
    root = write_folder(tmp_path / "insects.v2", split_tree())
    monkeypatch.chdir(root)
    assert load_dataset(".", cache_dir=tmp_path / "cache").name == "insects.v2"


def test_name_of_choice(tmp_path: Path) -> None:
    """With data, any name will do."""
    source = write_source(tmp_path, ".zip", split_tree())
    assert load_dataset("mine", str(source), tmp_path / "cache").name == "mine"


def test_default_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder of the caller's, DDC_CACHE is used."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "chosen"))
    load_dataset("mine", write_source(tmp_path, "", split_tree()))
    assert list((tmp_path / "chosen" / "datasets").iterdir())


@pytest.mark.parametrize("name", ["cifra10", "", "no/such/folder", "a" * 5000, "zero\0byte"])
def test_unknown_name(tmp_path: Path, name: str) -> None:
    """An unknown name says how to list the known ones and how to bring one's own."""
    with pytest.raises(DataError, match=r"'ddc datasets' lists all, or pass --data"):
        load_dataset(name, cache_dir=tmp_path)


def test_near_name(tmp_path: Path) -> None:
    """A misspelt name is answered with the names it is near to."""
    with pytest.raises(DataError, match=r"'imagenete128'; near ones: imagenette128"):
        load_dataset("imagenete128", cache_dir=tmp_path)


@pytest.mark.parametrize("name", ["mine", *OFFICIAL])
def test_data_that_is_not_there(tmp_path: Path, name: str) -> None:
    """A path to nothing is named."""
    with pytest.raises(DataError, match=r"nowhere' does not exist"):
        load_dataset(name, tmp_path / "nowhere", tmp_path)


def test_data_of_another_kind(tmp_path: Path) -> None:
    """A file that is no archive says which kinds there are."""
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    for name, data in (("mine", tmp_path / "notes.pdf"), (str(tmp_path / "notes.pdf"), None)):
        with pytest.raises(
            DataError, match=r"neither a folder nor an archive; .*\.zip, \.tar .*\.npz or \.pt"
        ):
            load_dataset(name, data, tmp_path)


def test_unknown_home(tmp_path: Path) -> None:
    """A `~` of nobody is an error in a sentence."""
    with pytest.raises(DataError, match="home folder"):
        load_dataset("mine", "~no-such-user-at-all/x", tmp_path)


def test_torch_is_not_needed() -> None:
    """Loading data does not wait for, or need, torch."""
    code = "import sys, ddcodec.datasets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

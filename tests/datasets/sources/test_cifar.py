"""CIFAR-10 in the official formats and as an image tree."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from image_trees import (
    BATCH_NAMES,
    binary_batches,
    cifar_labels,
    cifar_pixels,
    flat,
    python2_pickle,
    python_batches,
    write_folder,
    write_tar,
)

from ddcodec.datasets import class_counts, load_dataset
from ddcodec.datasets.sources import cifar
from ddcodec.errors import DataError

FORMATS = pytest.mark.parametrize("batches", [python_batches, binary_batches])


@FORMATS
@pytest.mark.parametrize("packed", ["archive", "folder", "inner folder"])
def test_official_formats(tmp_path: Path, batches: object, packed: str) -> None:
    """Both formats, packed and unpacked, give the batches in order."""
    files = batches()  # type: ignore[operator]
    if packed == "archive":
        source = write_tar(tmp_path / "tiny.tar.gz", files, "w:gz")
    else:
        source = write_folder(tmp_path / "tiny", files)
        if packed == "inner folder":
            (source,) = source.iterdir()
    dataset = load_dataset("cifar10", source, tmp_path / "cache")
    assert dataset.class_names == cifar.CIFAR10_CLASSES
    assert dataset.test is not None
    pixels = np.concatenate([cifar_pixels(batch) for batch in range(5)])
    labels = [label for batch in range(5) for label in cifar_labels(batch)]
    assert np.array_equal(dataset.train.images, pixels.reshape(-1, 3, 32, 32))
    assert dataset.train.labels.tolist() == labels
    assert np.array_equal(dataset.test.images, cifar_pixels(5).reshape(-1, 3, 32, 32))
    assert dataset.test.labels.tolist() == cifar_labels(5)


def test_python3_pickles(tmp_path: Path) -> None:
    """Batches pickled again by Python 3 are read as well."""
    files = python_batches()
    for index, name in enumerate(BATCH_NAMES):
        batch = {b"data": cifar_pixels(index), b"labels": cifar_labels(index)}
        files[f"cifar-10-batches-py/{name}"] = pickle.dumps(batch, protocol=4)
    source = write_folder(tmp_path / "tiny", files)
    dataset = load_dataset("cifar10", source, tmp_path / "cache")
    assert len(dataset.train) == 20


def test_second_load_does_not_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are unpickled once."""
    source = write_tar(tmp_path / "tiny.tar.gz", python_batches(), "w:gz")
    first = load_dataset("cifar10", source, tmp_path / "cache")
    monkeypatch.delattr(cifar.CifarBatches, "_from_pickle")
    second = load_dataset("cifar10", source, tmp_path / "cache")
    assert np.array_equal(first.train.images, second.train.images)


@pytest.mark.parametrize("name", [cifar.CIFAR10_FILE.name, *cifar.CIFAR10_BINARY])
def test_official_name_needs_official_content(tmp_path: Path, name: str) -> None:
    """A file that calls itself the official archive must be it."""
    source = write_tar(tmp_path / name, python_batches(), "w:gz")
    with pytest.raises(DataError, match=r"its SHA-256 is [0-9a-f]{64} instead of"):
        load_dataset("cifar10", source, tmp_path / "cache")


class Evil:
    """A pickle that would make a file if it ran."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_pickles_cannot_run_code(tmp_path: Path) -> None:
    """A hostile batch is refused and nothing of it runs."""
    files = python_batches()
    batch = {b"data": Evil(tmp_path / "evil"), b"labels": []}
    files["cifar-10-batches-py/data_batch_2"] = pickle.dumps(batch)
    source = write_folder(tmp_path / "tiny", files)
    with pytest.raises(DataError, match="'cifar-10-batches-py/data_batch_2' is not a valid"):
        load_dataset("cifar10", source, tmp_path / "cache")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        pickle.dumps([1, 2]),
        pickle.dumps({b"data": b"x", b"labels": [0]}),
        pickle.dumps({b"data": np.zeros((1, 3072)), b"labels": [0]}),
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": ["a"]}),
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8)}),
        python2_pickle(cifar_pixels(0), [0, 1, 2]),
        python2_pickle(cifar_pixels(0), [0, 1, 2, 10]),
        python2_pickle(cifar_pixels(0), [0, 1, 2, -1]),
        pickle.dumps({b"data": cifar_pixels(0), b"labels": [0, 1, 2, 2**70]}),
        python2_pickle(cifar_pixels(0)[:, 1:], [0, 1, 2, 3]),
        python2_pickle(cifar_pixels(0)[:0], []),
        python2_pickle(cifar_pixels(0), [0, 1, 2, 3])[:-40],
    ],
)
def test_damaged_python_batch(tmp_path: Path, data: bytes) -> None:
    """Every kind of damage to a pickled batch is one sentence that names it."""
    files = {**python_batches(), "cifar-10-batches-py/test_batch": data}
    source = write_folder(tmp_path / "tiny", files)
    with pytest.raises(DataError, match="'cifar-10-batches-py/test_batch' is not a valid"):
        load_dataset("cifar10", source, tmp_path / "cache")


@pytest.mark.parametrize("data", [b"", b"\0" * 3072, b"\x0a" + b"\0" * 3072])
def test_damaged_binary_batch(tmp_path: Path, data: bytes) -> None:
    """A binary batch of the wrong length or with a label above 9 is named."""
    files = {**binary_batches(), "cifar-10-batches-bin/data_batch_3.bin": data}
    source = write_folder(tmp_path / "tiny", files)
    with pytest.raises(DataError, match=r"'cifar-10-batches-bin/data_batch_3.bin' is not a valid"):
        load_dataset("cifar10", source, tmp_path / "cache")


@FORMATS
def test_missing_batch(tmp_path: Path, batches: object) -> None:
    """A batch that is not there is named."""
    files = {k: v for k, v in batches().items() if "data_batch_4" not in k}  # type: ignore[operator]
    source = write_folder(tmp_path / "tiny", files)
    with pytest.raises(DataError, match="lacks the CIFAR-10 file data_batch_4"):
        load_dataset("cifar10", source, tmp_path / "cache")


def test_image_tree(tmp_path: Path) -> None:
    """An image tree goes to the folder loader under the name cifar10."""
    files = {"train/cat/1.png": flat(1), "train/dog/1.png": flat(2), "test/cat/1.png": flat(3)}
    source = write_tar(tmp_path / "cifar10.tar.xz", files, "w:xz")
    dataset = load_dataset("cifar10", source, tmp_path / "cache")
    assert dataset.name == "cifar10"
    assert dataset.class_names == ("cat", "dog")


@pytest.mark.slow
def test_real_images(tmp_path: Path) -> None:
    """The real dataset, packed as an image tree, has its known size and balance."""
    beside = Path(__file__).parents[3].parent / "shared" / "data" / "cifar10.tar.xz"
    source = Path(os.environ.get("DDC_CIFAR10_ARCHIVE", beside))
    if not source.exists():
        pytest.skip("no CIFAR-10 image archive: set DDC_CIFAR10_ARCHIVE to one")
    dataset = load_dataset("cifar10", source, tmp_path)
    assert dataset.class_names == cifar.CIFAR10_CLASSES
    assert dataset.train.images.shape == (50_000, 3, 32, 32)
    assert class_counts(dataset.train.labels, 10).tolist() == [5_000] * 10
    assert dataset.test is not None
    assert class_counts(dataset.test.labels, 10).tolist() == [1_000] * 10

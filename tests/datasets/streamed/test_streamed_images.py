"""Datasets above their limit in the cache: the same pixels, read where they lie."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_trees import (
    Files,
    encode,
    split_tree,
    write_folder,
    write_source,
    write_tar,
    write_zip,
)
from PIL import Image

import ddcodec.datasets.streamed.one_pass as one_pass
from ddcodec.datasets import Dataset, load_dataset
from ddcodec.datasets.base import normalisation, split_validation
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import DataError
from ddcodec.kept.notices import KeptWarning

pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")

BYTES_EACH = 3 * 4 * 6
LABELS = {"ant": 0, "bee": 1}


def noise(seed: int, size: tuple[int, int] = (6, 4)) -> bytes:
    """Return a PNG of noise, 6 wide and 4 high."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return encode(Image.fromarray(pixels))


TREE: Files = {
    f"{split}/{name}/{number}.png": noise(number + 100 * LABELS[name] + 1000 * (split == "test"))
    for split, count in (("train", 6), ("test", 2))
    for name in LABELS
    for number in range(count)
}


def load(path: Path, tmp_path: Path, **options: Any) -> Dataset:
    """Load what lies at a path, with a cache of its own for each limit."""
    cache = tmp_path / f"cache-{options.get('cache_limit')}"
    return load_dataset(str(path), cache_dir=cache, **options)


def stored_zip(root: Path) -> Path:
    """Write a zip without compression, with something before it as self-extracting ones have."""
    with zipfile.ZipFile(root / "insects.zip", "w") as archive:
        for name, data in TREE.items():
            archive.writestr(name, data)
    (root / "insects.zip").write_bytes(b"#!/bin/sh\n" + (root / "insects.zip").read_bytes())
    return root / "insects.zip"


def archives_of_splits(root: Path) -> Path:
    """Write a folder with an archive for each split."""
    for split, write in (("train", write_zip), ("test", write_tar)):
        files = {p.removeprefix(f"{split}/"): d for p, d in TREE.items() if p.startswith(split)}
        (root / "packed").mkdir(exist_ok=True)
        write(root / "packed" / f"{split}{'.zip' if split == 'train' else '.tar'}", files)
    return root / "packed"


def shards(root: Path) -> Path:
    """Write WebDataset shards: two of the training split, one of the test split."""
    files: dict[str, Files] = {}
    for number, (path, data) in enumerate(sorted(TREE.items())):
        split, name, _ = path.split("/")
        shard = f"{split}-{number % 2 if split == 'train' else 0:05d}.tar"
        key = f"{number:04d}"
        label = str(LABELS[name]).encode()
        files.setdefault(shard, {}).update({f"{key}.png": data, f"{key}.cls": label})
    (root / "shards").mkdir()
    for name, members in files.items():
        write_tar(root / "shards" / name, members)
    (root / "shards" / "classes.json").write_text('["ant", "bee"]')
    return root / "shards"


def tables(root: Path) -> Path:
    """Write Parquet files with row groups of five rows."""
    (root / "tables").mkdir()
    for split in ("train", "test"):
        found = [(p, d) for p, d in sorted(TREE.items()) if p.startswith(split)]
        columns = {
            "image": [{"bytes": data, "path": path} for path, data in found],
            "label": [path.split("/")[1] for path, _ in found],
        }
        file = root / "tables" / f"{split}-00000-of-00001.parquet"
        pyarrow.parquet.write_table(pyarrow.table(columns), file, row_group_size=5)
    return root / "tables"


SOURCES: dict[str, Callable[[Path], Path]] = {
    "folder": lambda root: write_source(root, "", TREE),
    "tar": lambda root: write_source(root, ".tar", TREE),
    "zip": lambda root: write_source(root, ".zip", TREE),
    "stored zip": stored_zip,
    "archives of splits": archives_of_splits,
    "shards": shards,
    "tables": tables,
}


@pytest.mark.parametrize("limit", [1, 5 * BYTES_EACH])
@pytest.mark.parametrize("kind", SOURCES)
def test_the_same_dataset(tmp_path: Path, kind: str, limit: int) -> None:
    """Any rows in any order, twice, and the fingerprint; the cache holds what the limit allows."""
    path = SOURCES[kind](tmp_path)
    whole = load(path, tmp_path)
    assert (len(whole.train), whole.training) == (12, None)
    for _ in ("made", "read back"):
        limited = load(path, tmp_path, cache_limit=limit)
        assert (limited.fingerprint, limited.class_names) == (whole.fingerprint, ("ant", "bee"))
        assert whole.test is not None and limited.test is not None
        for split, expected in ((limited.train, whole.train), (limited.test, whole.test)):
            assert not isinstance(split.images, np.ndarray)
            assert split.images.shape == expected.images.shape
            assert np.array_equal(split.labels, expected.labels)
            assert np.array_equal(np.asarray(split.images), expected.images)
            rows = np.random.default_rng(3).integers(0, len(split), 30)
            assert np.array_equal(split.images[rows], expected.images[rows])
            assert np.array_equal(split.images[-1], expected.images[-1])
            mask = split.labels == 1
            assert np.array_equal(split.images[mask], expected.images[mask])
        kept = limit // BYTES_EACH
        assert limited.notes[-1] == (
            f"The images take 0.0 MB decoded, above the cache limit: {kept} of 16 are kept, the "
            "others are decoded when needed."
        )
    stored = [np.load(file) for file in (tmp_path / f"cache-{limit}").rglob("*_images.npy")]
    assert sum(images.nbytes for images in stored) == kept * BYTES_EACH


def test_a_limit_that_suffices_changes_nothing(tmp_path: Path) -> None:
    """A set of no more bytes is kept as without a limit."""
    path = write_source(tmp_path, ".tar.gz", TREE)
    limited = load(path, tmp_path, cache_limit=16 * BYTES_EACH)
    assert isinstance(limited.train.images, np.ndarray)
    assert limited.notes == ()


def test_statistics_of_the_training_part(tmp_path: Path) -> None:
    """What one pass measured is what the whole training part gives, fingerprint included."""
    path = write_source(tmp_path, "", TREE)
    whole, limited = load(path, tmp_path), load(path, tmp_path, cache_limit=1)
    expected, part = TrainingPart.of(whole), TrainingPart.of(limited)
    assert (part.mean, part.std, part.fingerprint) == (
        expected.mean,
        expected.std,
        expected.fingerprint,
    )
    rows, _ = split_validation(whole.train.labels)
    mean, _ = normalisation(whole.train.images[rows])
    assert part.mean == tuple(mean.tolist())


def test_only_what_is_asked_for_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading again decodes nothing, and of three rows those two that are not kept."""
    path = write_source(tmp_path, "", TREE)
    load(path, tmp_path, cache_limit=BYTES_EACH)
    decoded: list[str] = []
    decode = one_pass.decode_image

    def counting(data: bytes, path: str, **options: Any) -> np.ndarray:
        decoded.append(path)
        return decode(data, path, **options)

    monkeypatch.setattr(one_pass, "decode_image", counting)
    part = TrainingPart.of(load(path, tmp_path, cache_limit=BYTES_EACH))
    assert decoded == []
    dataset = load(path, tmp_path, cache_limit=BYTES_EACH)
    _ = dataset.train.images[[11, 0, 6]]
    assert sorted(decoded) == ["train/bee/0.png", "train/bee/5.png"]
    assert part.pixels.shape == (10, 3, 4, 6)
    assert len(decoded) == 2


@pytest.mark.parametrize("kind", [".tar.gz", ".tar.xz"])
def test_compressed_archives_are_refused(tmp_path: Path, kind: str) -> None:
    """What can only be unpacked from its beginning on is not read in any order."""
    path = write_source(tmp_path, kind, TREE)
    with pytest.raises(DataError, match=r"cannot be read alone.*unpack the archive"):
        load(path, tmp_path, cache_limit=100)
    assert not list((tmp_path / "cache-100").rglob("*.npy"))


def test_arrays_are_refused(tmp_path: Path) -> None:
    """An .npz is kept as a whole or not at all."""
    images = np.zeros((4, 2, 2), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array([0, 1, 0, 1]))
    with pytest.raises(DataError, match=r"raise --cache-limit, or bring them as a folder"):
        load(tmp_path / "a.npz", tmp_path, cache_limit=15)
    assert not list((tmp_path / "cache-15").rglob("*.npy"))


@pytest.mark.parametrize("kind", ["", ".zip", ".tar"])
def test_files_that_change(tmp_path: Path, kind: str) -> None:
    """Another image under the same name is named, and no wrong one comes out."""
    path = write_source(tmp_path, kind, TREE)
    dataset = load(path, tmp_path, cache_limit=1)
    write_source(tmp_path, kind, TREE | {"train/ant/0.png": noise(9)})
    with pytest.raises(DataError, match=r"'train/ant/0.png' gives other pixels than when"):
        _ = dataset.train.images[0]


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """The message says which one and what to do."""
    path = write_source(tmp_path, "", TREE)
    dataset = load(path, tmp_path, cache_limit=1)
    (path / "train/ant/0.png").unlink()
    with pytest.raises(DataError, match=r"cannot read 'train/ant/0.png' again .* leave the images"):
        _ = dataset.train.images[0]


@pytest.mark.parametrize(
    "name", ["train_places.npz", "train_checksums.npy", "test_labels.npy", "train_images.npy"]
)
def test_a_damaged_entry_is_made_again(tmp_path: Path, name: str) -> None:
    """Tables and kept pixels are compared with their checksums before anything is used."""
    path = write_source(tmp_path, "", TREE)
    fingerprint = load(path, tmp_path, cache_limit=5 * BYTES_EACH).fingerprint
    (file,) = tmp_path.glob(f"cache-*/datasets/*/{name}")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.warns(KeptWarning, match="is damaged"):
        again = load(path, tmp_path, cache_limit=5 * BYTES_EACH)
    assert again.fingerprint == fingerprint
    assert np.asarray(again.train.images).shape == (12, 3, 4, 6)


def test_what_is_in_the_cache_is_used(tmp_path: Path) -> None:
    """Pixels that were kept without a limit are read some at a time, and none is decoded."""
    path = write_source(tmp_path, "", split_tree())
    whole = load_dataset(str(path), cache_dir=tmp_path)
    limited = load_dataset(str(path), cache_dir=tmp_path, cache_limit=1)
    assert not isinstance(limited.train.images, np.ndarray)
    assert np.array_equal(limited.train.images[[4, 0]], whole.train.images[[4, 0]])
    assert limited.notes[-1].endswith("all are in the cache from before and are read when needed.")
    part, expected = TrainingPart.of(limited), TrainingPart.of(whole)
    assert (part.mean, part.fingerprint) == (expected.mean, expected.fingerprint)


def test_sizes(tmp_path: Path) -> None:
    """Images of mixed sizes are brought to one, as without a limit."""
    files = {f"{name}/{n}.png": noise(n, (8 + n, 9)) for name in LABELS for n in range(4)}
    path = write_folder(tmp_path / "mixed", files)
    whole, limited = (load(path, tmp_path, size=4, cache_limit=limit) for limit in (None, 1))
    assert np.array_equal(np.asarray(limited.train.images), whole.train.images)


def test_the_limit_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DDC_CACHE_LIMIT counts where nothing else is said, and has to be a size."""
    path = write_source(tmp_path, "", TREE)
    monkeypatch.setenv("DDC_CACHE_LIMIT", "1k")
    assert "13 of 16 are kept" in load(path, tmp_path).notes[-1]
    monkeypatch.setenv("DDC_CACHE_LIMIT", "much")
    with pytest.raises(DataError, match="DDC_CACHE_LIMIT is 'much'; write a size such as 500M"):
        load(path, tmp_path)

"""The cache of decoded arrays."""

import multiprocessing
import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_trees import flat, split_tree, write_folder, write_source

from ddcodec.datasets import Dataset, cache, load_folder
from ddcodec.datasets.trees import tree
from ddcodec.errors import DataError
from ddcodec.kept.notices import KeptWarning
from ddcodec.kept.seal import sealed_json
from ddcodec.kept.writing import claimed_folder

KINDS = ["", ".zip", ".tar.xz"]


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any decoding fail the test."""

    def fail(*arguments: object) -> None:
        raise AssertionError("an image was decoded again")

    monkeypatch.setattr(tree, "decode_image", fail)
    monkeypatch.setattr(tree, "read_header", fail)


def entries(cache_dir: Path) -> list[Path]:
    """Return what is in the cache, temporary folders included."""
    return sorted((cache_dir / "datasets").iterdir())


def same(first: Dataset, second: Dataset) -> bool:
    """Tell whether two datasets hold the same content."""
    assert first.test is not None
    assert second.test is not None
    return (
        first.fingerprint == second.fingerprint
        and np.array_equal(first.train.images, second.train.images)
        and np.array_equal(first.train.labels, second.train.labels)
        and np.array_equal(first.test.images, second.test.images)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_second_load_does_not_decode(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second load maps the same arrays without touching an image."""
    source = write_source(tmp_path, kind, split_tree())
    first = load_folder("insects", source, tmp_path / "cache")
    forbid_decoding(monkeypatch)
    assert same(first, load_folder("insects", source, tmp_path / "cache"))


def test_arrays_are_mapped_read_only(tmp_path: Path) -> None:
    """Pixels stay on disk and cannot be changed by accident."""
    source = write_source(tmp_path, "", split_tree())
    images = load_folder("insects", source, tmp_path / "cache").train.images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


@pytest.mark.parametrize("kind", KINDS)
def test_changed_source_is_decoded_again(tmp_path: Path, kind: str) -> None:
    """A new time of change, size or file makes a new entry."""
    files = split_tree()
    source = write_source(tmp_path, kind, files)
    first = load_folder("insects", source, tmp_path / "cache")
    write_source(tmp_path, kind, {**files, "train/ant/a.png": flat(99)})
    changed = source / "train/ant/a.png" if source.is_dir() else source
    os.utime(changed, ns=(10**18, 10**18))
    second = load_folder("insects", source, tmp_path / "cache")
    assert second.fingerprint != first.fingerprint
    assert second.train.images[0, 0, 0, 0] == 99


def test_notes_are_compared(tmp_path: Path) -> None:
    """Sentences on how a dataset was read are kept with a checksum; plain lists are read, too."""
    files = {**split_tree(), "val/ant/a.png": flat(80), "val/bee/a.png": flat(90)}
    source = write_source(tmp_path, "", files)
    said = ("val/ is not used: test/ is what is tested on.",)
    assert load_folder("a", source, tmp_path / "cache").notes == said
    (entry,) = entries(tmp_path / "cache")
    notes = entry / "notes.json"
    notes.write_text('["Of an earlier release."]')
    assert load_folder("a", source, tmp_path / "cache").notes == ("Of an earlier release.",)
    notes.write_bytes(sealed_json({"notes": said}).replace(b"val/", b"vel/"))
    with pytest.warns(KeptWarning, match="is damaged"):
        assert load_folder("a", source, tmp_path / "cache").notes == said


def test_names_share_nothing_but_content(tmp_path: Path) -> None:
    """The name a dataset is loaded under is the one it has."""
    source = write_source(tmp_path, "", split_tree())
    for name in ("a", "../../b", "a b/ü"):
        assert load_folder(name, source, tmp_path / "cache").name == name
    assert len(entries(tmp_path / "cache")) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "dataset.json").unlink(),
        lambda entry: (entry / "dataset.json").write_text("{"),
        lambda entry: (entry / "dataset.json").write_text("[]"),
        lambda entry: (entry / "train_images.npy").write_bytes(b""),
        lambda entry: os.truncate(entry / "train_images.npy", 200),
        lambda entry: (entry / "test_labels.npy").unlink(),
        lambda entry: np.save(entry / "train_labels.npy", np.array([0, 1])),
        lambda entry: np.save(entry / "test_labels.npy", np.array([0, 5])),
        lambda entry: np.save(entry / "train_images.npy", np.zeros((5, 3, 4, 6))),
        lambda entry: (shutil.rmtree(entry), entry.write_text("a file in the way")),
    ],
)
def test_damaged_entry_is_rebuilt(tmp_path: Path, damage: object) -> None:
    """Whatever happened to an entry, the next load repairs it and leaves nothing behind."""
    source = write_source(tmp_path, "", split_tree())
    first = load_folder("insects", source, tmp_path / "cache")
    pixels = np.array(first.train.images)
    (entry,) = entries(tmp_path / "cache")
    damage(entry)  # type: ignore[operator]
    second = load_folder("insects", source, tmp_path / "cache")
    assert second.fingerprint == first.fingerprint
    assert np.array_equal(second.train.images, pixels)
    assert entries(tmp_path / "cache") == [entry]


def test_failed_build_leaves_nothing(tmp_path: Path) -> None:
    """An error half-way leaves no entry and no temporary folder."""
    source = write_source(tmp_path, "", {**split_tree(), "train/bee/b.png": flat(5)[:-30]})
    with pytest.raises(DataError):
        load_folder("insects", source, tmp_path / "cache")
    assert entries(tmp_path / "cache") == []


def load_in_process(source: Path, cache_dir: Path, start: object) -> None:
    """Load once the other process is ready too; used as a process target."""
    start.wait()  # type: ignore[attr-defined]
    dataset = load_folder("insects", source, cache_dir)
    assert dataset.train.images[:, 0, 0, 0].tolist() == [10, 20, 30, 40, 50]


def test_two_processes_at_once(tmp_path: Path) -> None:
    """Both of two racing processes succeed and one entry remains."""
    source = write_source(tmp_path, ".zip", split_tree())
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    arguments = (source, tmp_path / "cache", start)
    processes = [context.Process(target=load_in_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(entries(tmp_path / "cache")) == 1


def test_loser_of_a_race_takes_the_winner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A builder that finds a sound entry in its way uses it."""
    source = write_source(tmp_path, "", split_tree())
    decode = tree.TreeReader.decode

    def slow(reader: tree.TreeReader, *arguments: Any) -> tuple[str, ...]:
        monkeypatch.setattr(tree.TreeReader, "decode", decode)
        load_folder("insects", source, tmp_path / "cache")
        return decode(reader, *arguments)

    monkeypatch.setattr(tree.TreeReader, "decode", slow)
    assert len(load_folder("insects", source, tmp_path / "cache").train) == 5
    assert len(entries(tmp_path / "cache")) == 1


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    """A cache folder that cannot be made says to set DDC_CACHE."""
    source = write_source(tmp_path, "", split_tree())
    in_the_way = tmp_path / "cache"
    in_the_way.write_text("a file")
    with pytest.raises(DataError, match=r"cannot write the cache .* set DDC_CACHE"):
        load_folder("insects", source, in_the_way)


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is noticed before the arrays are made."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage(100, 100, 100))
    source = write_folder(tmp_path / "insects", split_tree())
    with pytest.raises(DataError, match=r"set DDC_CACHE to a folder with more room"):
        load_folder("insects", source, tmp_path / "cache")


def test_changed_pixels_are_found(tmp_path: Path) -> None:
    """Images inverted on disk, or one bit of one label, are decoded again with a word."""
    source = write_source(tmp_path, "", split_tree())
    first = load_folder("insects", source, tmp_path / "cache")
    pixels, labels = np.array(first.train.images), np.array(first.train.labels)
    (entry,) = entries(tmp_path / "cache")
    for name, change in (("train_images", lambda a: 255 - a), ("train_labels", lambda a: a[::-1])):
        np.save(entry / f"{name}.npy", change(np.load(entry / f"{name}.npy")))
        with pytest.warns(KeptWarning, match="is damaged; the dataset is decoded again"):
            second = load_folder("insects", source, tmp_path / "cache")
        assert np.array_equal(second.train.images, pixels)
        assert np.array_equal(second.train.labels, labels)
        assert second.fingerprint == first.fingerprint
    assert entries(tmp_path / "cache") == [entry]


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    """Half an entry goes with the next that is built, unless somebody is building it."""
    datasets = tmp_path / "cache" / "datasets"
    for name in (".building-1", ".building-2", ".damaged-1"):
        (datasets / name).mkdir(parents=True)
        (datasets / name / "train_images.npy").write_bytes(b"half")
    source = write_source(tmp_path, "", split_tree())
    with claimed_folder(datasets / ".building-2"):
        load_folder("insects", source, tmp_path / "cache")
    names = [path.name for path in entries(tmp_path / "cache")]
    assert len(names) == 2 and names[0] == ".building-2" and names[1].startswith("insects-")

"""Several processes draw what one draws, or leave it to whoever asked."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ddcodec.datasets import generate_glyphs, load_dataset
from ddcodec.datasets.sources import glyph_processes, glyphs
from ddcodec.datasets.sources.glyph_processes import draw_in_processes

NAMES = glyphs.class_names_of(10)


def _empty(folder: Path, count: int) -> Path:
    path = folder / "images.npy"
    np.save(path, np.zeros((count, 3, 32, 32), dtype=np.uint8))
    return path


def test_two_processes_draw_what_one_draws(tmp_path: Path) -> None:
    """Every image is there, the last block a shorter one, and counts rise to all of them."""
    path, counts = _empty(tmp_path, 23), list[int]()
    assert draw_in_processes(path, NAMES, 5, 4, 2, counts.append)
    assert np.array_equal(np.load(path), generate_glyphs(23, 5).images)
    assert counts == sorted(counts)
    assert counts[-1] == 23


def test_nothing_of_the_working_folder_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is called like a module of the standard library does no harm."""
    path = _empty(tmp_path, 2)
    (tmp_path / "random.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    assert draw_in_processes(path, NAMES, 5, 1, 2, lambda _: None)


def test_a_process_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked draws by itself where a process fails, or none can be started."""
    assert not draw_in_processes(tmp_path / "missing.npy", NAMES, 5, 1, 2, lambda _: None)
    path = _empty(tmp_path, 2)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "nowhere"))
        assert not draw_in_processes(path, NAMES, 5, 1, 2, lambda _: None)
    monkeypatch.setattr(sys, "executable", "")
    assert not draw_in_processes(path, NAMES, 5, 1, 2, lambda _: None)


def test_an_interrupt_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is raised while others draw ends them."""
    started: list[subprocess.Popen[str]] = []
    start = glyph_processes._started

    def remembered(arguments: str) -> subprocess.Popen[str]:
        started.append(start(arguments))
        return started[-1]

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(glyph_processes, "_started", remembered)
    with pytest.raises(KeyboardInterrupt):
        draw_in_processes(_empty(tmp_path, 5000), NAMES, 5, 1, 2, interrupt)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


@pytest.mark.parametrize("fails", [False, True])
def test_a_dataset_is_the_same_either_way(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dataset large enough for several processes has the images of one, even where they fail."""
    monkeypatch.setattr(glyphs, "LEAST_IMAGES", 10)
    monkeypatch.setattr(glyphs, "TRAIN_IMAGES", 30)
    monkeypatch.setattr(glyphs, "TEST_IMAGES", 20)
    monkeypatch.setattr(glyphs, "usable_cores", lambda: 2)
    calls = []

    def draw(*given: object) -> bool:
        calls.append(json.dumps([str(one) for one in given[1:5]]))
        return False if fails else draw_in_processes(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(glyphs, "draw_in_processes", draw)
    dataset = load_dataset("glyphs", cache_dir=tmp_path)
    assert len(calls) == 2
    assert dataset.test is not None
    for split, count, seed in ((dataset.train, 30, 0), (dataset.test, 20, 1)):
        expected = generate_glyphs(count, seed)
        assert np.array_equal(split.images, expected.images)
        assert np.array_equal(split.labels, expected.labels)

"""Runs on a dataset above its limit in the cache: the same bytes, and not all images at once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from distill.loss_inputs import EXPERTS, POOL
from distill.tiny_dataset import tiny_dataset
from PIL import Image

from ddcodec.datasets import Dataset, base, load_dataset
from ddcodec.datasets.parts import validation_part
from ddcodec.datasets.streamed.images import StreamedImages
from ddcodec.distill.distill import distill
from ddcodec.distill.labels.making import TeacherSettings, make_teacher, validation_accuracy
from ddcodec.distill.labels.training import LabelerSettings
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.trained.experts import make_experts
from ddcodec.distill.trained.pools import make_pool
from ddcodec.evaluation import validation
from ddcodec.evaluation.students import train
from ddcodec.evaluation.validation import Validation

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the tiny dataset as a tree of PNG files."""
    root = tmp_path_factory.mktemp("tiny")
    dataset = tiny_dataset()
    for number, label in enumerate(dataset.train.labels):
        folder, pixels = root / dataset.class_names[label], dataset.train.images[number]
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / f"{number:02d}.png")
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test have a cache of its own."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))


def both(tree: Path) -> tuple[Dataset, Dataset]:
    """Return the dataset decoded as a whole, and with five of its images kept."""
    limited = load_dataset(str(tree), cache_limit=5 * 3 * 8 * 12)
    assert isinstance(limited.train.images, StreamedImages)
    return load_dataset(str(tree)), limited


def _never_whole(images: StreamedImages, dtype: Any = None, copy: Any = None) -> np.ndarray:
    raise AssertionError("all images are brought into memory")


@pytest.mark.long
@pytest.mark.parametrize(
    "settings",
    [
        {"init": "herding", "loss": "dm", "pool": "auto"},
        {"init": "packed", "loss": "gm", "pool": "auto"},
    ],
    ids=lambda settings: settings["loss"],
)
def test_the_same_file(
    tree: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starts chosen by networks, a loss with a pool, and one with real images at every step."""
    recipe = Recipe.from_mapping(
        {
            "bytes_per_class": 400.0,
            "loss": "none",
            "images_per_class": 3,
            "synthesis": "wavelet-2",
            "fit_steps": 4,
            "joint_steps": 2,
            "multiplier": 300.0,
            "validate": False,
            **settings,
        }
    )
    whole, limited = both(tree)
    monkeypatch.setattr(StreamedImages, "__array__", _never_whole)
    files = [distill(dataset, recipe).encoded.data for dataset in (whole, limited)]
    assert files[0] == files[1]


def test_the_same_networks(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools and experts have the same bytes, and a teacher the same accuracy."""
    made = []
    teacher = TeacherSettings(training=LabelerSettings(epochs=2))
    for dataset in both(tree):
        monkeypatch.setattr(StreamedImages, "__array__", _never_whole)
        root = tmp_path / type(dataset.train.images).__name__
        rest = (CPU, lambda progress: None, lambda missing, needed: None)
        make_pool(dataset, root / "pool", POOL, *rest)
        make_experts(dataset, root / "experts", EXPERTS, *rest)
        taught = make_teacher(dataset, root / "teacher", teacher, CPU, lambda progress: None)
        assert taught.accuracy == validation_accuracy(taught.network, dataset, CPU)
        found = sorted(path for path in root.rglob("*") if path.is_file())
        made.append({path.relative_to(root): path.read_bytes() for path in found})
    assert len(made[0]) > 4
    assert made[0] == made[1]


def test_validation_reads_some_images_at_a_time(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None before a candidate is judged, then one of the two after the other; the same accuracy."""
    selection = replace(validation.SELECTION, updates=2, network_width=4, batch_size=4)
    monkeypatch.setattr(validation, "SELECTION", selection)
    monkeypatch.setitem(train._TEST_CHUNK, "cpu", 1)
    whole, limited = both(tree)
    part = validation_part(whole)
    assert isinstance(part.images, np.ndarray) and len(part) == 2
    images, labels = np.array(whole.train.images[::5]), whole.train.labels[::5]
    expected = Validation(whole, "cpu")(images, labels)
    monkeypatch.setattr(StreamedImages, "__array__", _never_whole)
    monkeypatch.setattr(base, "CHUNK_BYTES", 3 * 8 * 12)
    read: list[int] = []
    take = StreamedImages.__getitem__

    def counting(images: StreamedImages, rows: Any) -> np.ndarray:
        taken = take(images, rows)
        read.append(len(taken))
        return taken

    monkeypatch.setattr(StreamedImages, "__getitem__", counting)
    judge = Validation(limited, "cpu")
    assert len(judge._real.labels) == 2 and read == []
    assert judge(images, labels) == expected
    assert read == [1, 1]  # once for both networks

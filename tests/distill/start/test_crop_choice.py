"""Which crops a run starts from: ranked by surprise, nested, the same again, at a bounded cost."""

from pathlib import Path

import numpy as np
import pytest
import torch
from distill.loss_inputs import build_pool, real_dataset
from distill.tiny_dataset import tiny_dataset

from ddcodec.datasets.base import Dataset
from ddcodec.distill.distill import distill
from ddcodec.distill.labels.making import TeacherSettings, load_teacher, make_teacher
from ddcodec.distill.labels.training import LabelerSettings
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running.progress import Progress, ProgressCallback
from ddcodec.distill.start.crop_choice import (
    CANDIDATES,
    PACKS,
    CropChoice,
    teacher_surprise,
)
from ddcodec.distill.start.crops import CROPS_PER_IMAGE, as_seen, cut, random_boxes
from ddcodec.distill.start.initial_images import CHUNK_IMAGES
from ddcodec.distill.start.recipe_parts import image_chooser
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import DataError, RecipeError

CPU = torch.device("cpu")
SMALL = TeacherSettings(16, LabelerSettings(epochs=1, batch_size=16, warmup_updates=4))


NOISE = real_dataset()


def _ignore(progress: Progress) -> None:
    """Show nothing."""


def _images(*class_counts: int, size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return noise images, the classes taking turns as far as they last."""
    labels = np.concatenate([np.full(count, label) for label, count in enumerate(class_counts)])
    labels = labels[np.argsort(np.concatenate([np.arange(count) for count in class_counts]))]
    random = np.random.default_rng(1)
    return random.integers(0, 256, (len(labels), 1, size, size), dtype=np.uint8), labels


def _darkness(images: np.ndarray, label: int) -> np.ndarray:
    """Be surprised by bright images."""
    return images.mean(axis=(1, 2, 3), dtype=np.float32)


def _scores(images: np.ndarray, row: int, pack: int = 1) -> list[float]:
    boxes = random_boxes(0, row, *images.shape[2:])
    return [float(as_seen(images[row], box, pack).mean(dtype=np.float32)) for box in boxes]


def _choice(images: np.ndarray, labels: np.ndarray, pack: int = 1, seed: int = 0) -> CropChoice:
    return CropChoice(images, labels, pack, seed, _darkness)


def test_best_crops_come_first() -> None:
    """The better half of a group by its best crops, then the other half, then second-best crops."""
    images, labels = _images(9)
    ranked = _choice(images, labels).ranked(np.arange(9), 0, 45).tolist()
    scores = {row: sorted(_scores(images, row)) for row in range(9)}
    by_best = sorted(range(9), key=lambda row: scores[row][0])
    expected = [(row, rank) for rank in range(CROPS_PER_IMAGE) for row in by_best]
    assert [row for row, _ in ranked] == [row for row, _ in expected]
    found = [_scores(images, row)[number] for row, number in ranked]
    assert found == [scores[row][rank] for row, rank in expected]
    assert len({tuple(crop) for crop in ranked}) == 45


def test_groups_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Better halves of all groups come before any other half, each the best first."""
    monkeypatch.setattr("ddcodec.distill.start.crop_choice.CANDIDATES", 4)
    images, labels = _images(10)
    rows = _choice(images, labels).ranked(np.arange(10), 0, 10)[:, 0].tolist()
    best = [min(_scores(images, row)) for row in rows]
    # Groups of 4, 4 and 2 images: halves of 2, 2 and 1, twice.
    halves = [best[start:end] for start, end in ((0, 2), (2, 4), (4, 5), (5, 7), (7, 9), (9, 10))]
    assert all(half == sorted(half) for half in halves)
    for better, other in zip(halves[:3], halves[3:], strict=True):
        assert max(better) <= min(other)
    assert sorted(rows) == list(range(10)) and best != sorted(best)


@pytest.mark.parametrize("pack", PACKS.values())
def test_choices_are_nested_and_of_their_class(pack: int) -> None:
    """A larger choice begins with a smaller one; a class fills as many images as it has."""
    images, labels = _images(7, 5)
    images[labels == 1] //= 2
    images[labels == 0] |= 128
    large = _choice(images, labels, pack)(np.array([7, 5]))
    small = _choice(images, labels, pack)(np.array([3, 2]))
    assert large.shape == (12, 1, 8, 8) and large.dtype == np.uint8
    assert (large[:7] >= 128).all() and (large[7:] < 128).all()
    assert np.array_equal(small, large[[0, 1, 2, 7, 8]])
    assert len(np.unique(large, axis=0)) == 12
    assert _choice(images, labels, pack)(np.array([0, 0])).shape == (0, 1, 8, 8)


def test_same_seed_same_crops() -> None:
    """Everything random follows from the seed; another gives other crops."""
    images, labels = _images(6, 6)
    counts = np.array([3, 3])
    first, again, other = (_choice(images, labels, seed=seed)(counts) for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_image_is_the_crop_that_was_ranked() -> None:
    """What is chosen is cut from the training image at full size, or packed row by row."""
    images, labels = _images(8)
    crops = _choice(images, labels).ranked(np.arange(8), 0, 2)
    whole = _choice(images, labels)(np.array([2]))
    for (row, number), image in zip(crops, whole, strict=True):
        box = random_boxes(0, row, 8, 8)[number]
        assert np.array_equal(image, cut(images[row], box, (8, 8)))
    choice = _choice(images, labels, pack=2)
    (image,) = choice(np.array([1]))
    for cell, (row, number) in enumerate(choice.ranked(np.arange(8), 0, 4)):
        top, left = 4 * (cell // 2), 4 * (cell % 2)
        box = random_boxes(0, row, 8, 8)[number]
        assert np.array_equal(
            image[:, top : top + 4, left : left + 4], cut(images[row], box, (4, 4))
        )


@pytest.mark.parametrize(("wanted", "groups"), [(1, 1), (150, 1), (151, 2)])
def test_cost_follows_what_is_wanted(wanted: int, groups: int) -> None:
    """Networks see a chunk at a time, and no more images than the number wanted calls for."""
    asked: list[int] = []
    per_class = 3 * CANDIDATES
    images, labels = _images(per_class, per_class, size=2)

    def surprise(crops: np.ndarray, label: int) -> np.ndarray:
        asked.append(len(crops))
        return _darkness(crops, label)

    CropChoice(images, labels, 1, 0, surprise)(np.array([wanted, 0]))
    assert max(asked) <= CHUNK_IMAGES
    assert sum(asked) == groups * CANDIDATES * CROPS_PER_IMAGE


def test_images_are_read_a_few_rows_at_a_time() -> None:
    """The set may lie on a disk: no more rows than a chunk has are ever read at once."""
    images, labels = _images(400, size=2)
    read: list[int] = []

    class OnDisk(np.ndarray):
        def __getitem__(self, key):  # type: ignore[no-untyped-def]
            rows = np.asarray(self)[key]
            read.append(rows.size // 4)
            return rows

    CropChoice(images.view(OnDisk), labels, 1, 0, _darkness)(np.array([160]))
    assert read and max(read) == CHUNK_IMAGES // CROPS_PER_IMAGE


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pool and a teacher of the noise."""
    folder = tmp_path_factory.mktemp("networks")
    build_pool(folder / "pool")
    make_teacher(NOISE, folder / "teacher", SMALL, CPU, lambda progress: None)
    return folder


def test_a_teacher_is_surprised_by_a_wrong_class(networks: Path) -> None:
    """Surprise is the cross-entropy of the class asked about."""
    surprise = teacher_surprise(load_teacher(NOISE, networks / "teacher", CPU), CPU)
    likely = [np.exp(-surprise(NOISE.train.images[:5], label)) for label in range(3)]
    assert np.allclose(sum(likely), 1, atol=1e-2)
    assert likely[0].dtype == np.float32 and likely[0].std() > 0


def _chosen(dataset: Dataset, on_progress: ProgressCallback = _ignore, **names: str) -> np.ndarray:
    recipe = Recipe(bytes_per_class=500.0, **names)  # type: ignore[arg-type]
    choose = image_chooser(dataset, TrainingPart.of(dataset), recipe, CPU, on_progress)
    return choose(np.full(dataset.num_classes, 3))


def test_a_recipe_names_its_networks(networks: Path) -> None:
    """Crops are chosen by the teacher if there is one, else by the pool; progress is by class."""
    pool, teacher = str(networks / "pool"), str(networks / "teacher")
    seen: list[Progress] = []
    by_pool = _chosen(NOISE, seen.append, init="crops", pool=pool)
    by_teacher = _chosen(NOISE, init="crops", teacher=teacher)
    assert by_pool.shape == by_teacher.shape == (9, 3, 16, 12)
    assert not np.array_equal(by_pool, by_teacher)
    assert np.array_equal(by_teacher, _chosen(NOISE, init="crops", pool="none", teacher=teacher))
    assert [(one.phase, one.step, one.steps) for one in seen] == [
        ("crops", done, 3) for done in (1, 2, 3)
    ]


@pytest.mark.parametrize(("init", "phases"), [("random", []), ("herding", ["herding"] * 3)])
def test_choices_of_whole_images_are_shown_if_they_take_time(
    init: str, phases: list[str], networks: Path
) -> None:
    """Random ones need no looking."""
    seen: list[Progress] = []
    _chosen(NOISE, seen.append, init=init, pool=str(networks / "pool"))
    assert [one.phase for one in seen] == phases


def test_what_does_not_fit_is_refused_at_once(networks: Path) -> None:
    """A teacher of another dataset, and images without room for four crops."""
    with pytest.raises(DataError, match="another dataset or training part"):
        _chosen(tiny_dataset(), init="crops", teacher=str(networks / "teacher"))
    with pytest.raises(RecipeError, match="no room for 2×2 crops"):
        _chosen(tiny_dataset(height=1), init="packed")


class _Enough(Exception):  # noqa: N818 - not an error
    """Ends a run before its first phase."""


def test_a_run_starts_from_crops(networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run's phases are given are the crops chosen for its recipe."""
    names = {"init": "packed", "teacher": str(networks / "teacher")}
    recipe = Recipe(bytes_per_class=900.0, images_per_class=3, **names)  # type: ignore[arg-type]
    given: list[np.ndarray] = []

    def end(part: object, recipe: object, allocation: object, targets: np.ndarray, *_: object):  # type: ignore[no-untyped-def]
        given.append(targets)
        raise _Enough

    monkeypatch.setattr("ddcodec.distill.latent_run.new_run", end)
    with pytest.raises(_Enough):
        distill(NOISE, recipe)
    assert np.array_equal(given[0], _chosen(NOISE, **names))

"""Initial images: nested choices, herding by hand, and only the training part looked at."""

from pathlib import Path

import numpy as np
import pytest
import torch
from distill.loss_inputs import build_pool, real_dataset

from ddcodec.datasets.base import split_validation
from ddcodec.distill.start.initial_images import (
    INITIALISERS,
    PoolLook,
    Seen,
    at_random,
    by_teacher,
    choose_initial_images,
    herding_order,
)
from ddcodec.errors import DataError

LABELS = np.array([0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0], dtype=np.int64)


def _look(rows: np.ndarray, label: int) -> Seen:
    """See every image as a point that follows from its number."""
    angles = (rows * 37 % 11).astype(np.float32)
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Seen(embeddings, (rows * 5 % 13).astype(np.float32))


def _no_look(rows: np.ndarray, label: int) -> Seen:
    raise AssertionError("random choices need no networks")


@pytest.mark.parametrize("name", INITIALISERS)
def test_choices_are_nested_and_of_their_class(name: str) -> None:
    """A larger set contains a smaller one as its beginning, class by class, without repetition."""
    large = choose_initial_images(name, LABELS, np.array([7, 5]), 3, _look)
    small = choose_initial_images(name, LABELS, np.array([3, 2]), 3, _look)
    assert LABELS[large].tolist() == [0] * 7 + [1] * 5
    assert len(set(large.tolist())) == 12
    assert small.tolist() == [*large[:3], *large[7:9]]
    assert (
        large.tolist() == choose_initial_images(name, LABELS, np.array([9, 9]), 3, _look).tolist()
    )


@pytest.mark.parametrize("name", INITIALISERS)
def test_every_class_is_shown_when_it_is_chosen(name: str) -> None:
    """Choices that look through networks take minutes, so the command can say how far they are."""
    shown: list[tuple[int, int]] = []
    choose_initial_images(
        name, LABELS, np.array([2, 2]), 3, _look, lambda *state: shown.append(state)
    )
    assert shown == [(1, 2), (2, 2)]


def test_random_choices_are_pinned() -> None:
    """The raw words of PCG64 decide, as they did before there were other initialisers."""
    chosen = choose_initial_images("random", LABELS, np.array([4, 3]), 0, _no_look)
    assert chosen.tolist() == [6, 5, 3, 11, 9, 2, 4]
    assert at_random(np.arange(9), 2, 4, 7, _no_look).tolist() == [8, 6, 4, 0]


def test_herding_by_hand() -> None:
    """Each choice brings the running mean nearest to the mean of all, which is (3, 0) here."""
    points = np.array([[0, 0], [4, 0], [3, 1], [5, -1]], dtype=np.float32)
    # Alone (4, 0) misses the mean by 1 and (3, 1) as well: the first of them is taken. Then
    # ((4, 0) + (3, 1)) / 2 misses by √½; with (0, 0) too it would be 1, with (5, −1) 1.58.
    # (7, 1) and (0, 0) make (7/3, 1/3): 0.75; with (5, −1) (4, 0): 1.
    assert herding_order(points, 4).tolist() == [1, 2, 0, 3]
    assert herding_order(points, 9).tolist() == [1, 2, 0, 3]
    assert herding_order(points, 0).tolist() == []


def test_teacher_prefers_the_surest_half() -> None:
    """The surest half comes first, herded; then the others, the surest first."""
    rows = np.arange(10, 18)
    surprise = np.array([5, 1, 7, 0, 2, 6, 3, 4], dtype=np.float32)
    embeddings = np.full((8, 2), 100, dtype=np.float32)
    # The points herded by hand above; what is far off is not sure.
    embeddings[[1, 3, 4, 6]] = [[0, 0], [4, 0], [3, 1], [5, -1]]

    def look(rows: np.ndarray, label: int) -> Seen:
        return Seen(embeddings, surprise)

    assert by_teacher(rows, 0, 8, 0, look).tolist() == [13, 14, 11, 16, 17, 10, 15, 12]
    assert by_teacher(rows, 0, 3, 5, look).tolist() == [13, 14, 11]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of two networks."""
    folder = tmp_path_factory.mktemp("initial") / "pool"
    build_pool(folder)
    return folder


def _pool_look(folder: Path, spoilt: int | None = None) -> tuple[PoolLook, np.ndarray]:
    dataset = real_dataset()
    training, _ = split_validation(dataset.train.labels)
    images = np.ascontiguousarray(dataset.train.images[training])
    labels = dataset.train.labels[training]
    if spoilt is not None:
        images[spoilt] ^= 1
    device = torch.device("cpu")
    return PoolLook(images, labels, dataset.num_classes, device, lambda: folder), labels


def test_a_pool_looks_at_images(pool: Path) -> None:
    """Embeddings are unit vectors of two networks; surprise is a cross-entropy."""
    look, labels = _pool_look(pool)
    rows = np.flatnonzero(labels == 1)
    seen = look(rows, 1)
    half = seen.embeddings.shape[1] // 2
    assert len(seen.embeddings) == len(seen.surprise) == len(rows)
    for part in (seen.embeddings[:, :half], seen.embeddings[:, half:]):
        assert np.allclose(np.linalg.norm(part, axis=1), 1, atol=1e-3)
    assert not np.allclose(seen.embeddings[:, :half], seen.embeddings[:, half:])
    assert (seen.surprise > 0).all()
    assert (look(rows, 0).surprise - seen.surprise).std() > 0


def test_a_pool_of_other_images_is_refused(pool: Path) -> None:
    """The pool must have been made on exactly the training part, so never on validation images."""
    look, labels = _pool_look(pool, spoilt=0)
    with pytest.raises(DataError, match="another dataset or training part"):
        choose_initial_images("herding", labels, np.array([1, 1, 1]), 0, look)
    look, _ = _pool_look(pool / "none")
    assert at_random(np.arange(4), 0, 4, 0, look).size == 4

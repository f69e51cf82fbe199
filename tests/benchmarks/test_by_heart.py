"""Images beside a pool: real ones are near its means and named rightly, others are not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from by_heart import Images, judgement, mean_distance, real_images
from distill.tiny_dataset import tiny_dataset

from ddcodec.distill.trained.pool_views import Pool
from ddcodec.distill.trained.pools import PoolSettings, make_pool
from ddcodec.distill.trained.training_part import TrainingPart

PER_CLASS = 6
DATASET = tiny_dataset()
SETTINGS = PoolSettings(
    count=2, epochs=(0, 12), mixes=(0.5,), draws=2, frequencies=32, network_width=8
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """Two networks of a small training set."""
    folder: Path = tmp_path_factory.mktemp("by_heart") / "pool"
    make_pool(
        DATASET, folder, SETTINGS, torch.device("cpu"), lambda progress: None, lambda *counts: None
    )
    return Pool(folder, torch.device("cpu"), {})


@pytest.fixture(scope="module")
def real() -> Images:
    """Some of the images that the pool was made of."""
    return real_images(TrainingPart.of(DATASET), PER_CLASS)


def _relabelled(images: Images) -> Images:
    """Give every image the next class."""
    return Images("others", images.pixels, (images.labels + 1) % (int(images.labels.max()) + 1))


def test_real_images_are_the_first_of_each_class(real: Images) -> None:
    """As many of each class, taken from the training part in its order."""
    part = TrainingPart.of(DATASET)
    counts = np.bincount(real.labels.numpy())
    assert counts.tolist() == [PER_CLASS] * part.num_classes
    first = np.flatnonzero(part.labels.numpy() == 1)[0]
    place = int(np.flatnonzero(real.labels.numpy() == 1)[0])
    assert np.array_equal(real.pixels[place].numpy(), part.pixels[int(first)])


def test_real_images_are_nearest_to_the_means(pool: Pool, real: Images) -> None:
    """Those of other classes, and noise, are farther away."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, real.pixels.shape, generator=generator).to(torch.uint8)
    near = mean_distance(real, pool, 1)
    assert 0 < near < mean_distance(_relabelled(real), pool, 1)
    assert near < mean_distance(Images("noise", noise, real.labels), pool, 1)


def test_networks_are_surprised_by_other_labels(pool: Pool, real: Images) -> None:
    """Cross-entropy and its last tenth grow, and the share of right ones falls."""
    right, wrong = judgement(real, pool), judgement(_relabelled(real), pool)
    assert right.surprise < wrong.surprise
    assert right.hardest < wrong.hardest
    assert right.right > 0.9 and wrong.right < 0.1

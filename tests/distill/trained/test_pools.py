"""Pools: resumable, honest about what they were made of, and enough to distill with."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from distill.loss_inputs import (
    POOL,
    SETTINGS,
    build_pool,
    descend,
    real_data,
    real_dataset,
    synthetic,
    training_data,
)

from ddcodec.distill.losses import LOSSES, CharacteristicMatching, DistributionMatching
from ddcodec.distill.trained import network_files
from ddcodec.distill.trained.pool_views import Pool
from ddcodec.distill.trained.pools import (
    FEWEST_EPOCHS,
    FEWEST_UPDATES,
    MOST_EPOCHS,
    PoolSettings,
    make_pool,
)
from ddcodec.errors import DataError, RecipeError
from ddcodec.networks import augment
from ddcodec.networks.normalise import Renormalisation

CPU = torch.device("cpu")
WITH_POOL = ("dm", "ncfm")
NO_CROSS_ENTROPY = {"cross_entropy": 0.0}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of two networks with three members of two augmentations each."""
    folder = tmp_path_factory.mktemp("pools") / "pool"
    assert build_pool(folder) == 2
    return folder


def test_members_lie_between_initial_and_last_weights(pool: Path) -> None:
    """Members are epoch 0, epoch 2 and half of each; another network is another."""
    names = ("weights", "means")
    first, second = (
        network_files.load_tensors(network_files.network_file(pool, n), names) for n in (0, 1)
    )
    initial, last, mixed = first["weights"]
    assert not torch.equal(initial, last)
    assert torch.allclose(mixed, (initial + last) / 2, atol=1e-6)
    assert not torch.equal(initial, second["weights"][0])
    assert not torch.equal(first["means"][0, 0], first["means"][0, 1])


def test_a_pool_grows(pool: Path, tmp_path: Path) -> None:
    """More networks are added to those there are; asking for fewer keeps all."""
    folder = tmp_path / "pool"
    assert build_pool(folder, dataclasses.replace(POOL, count=1)) == 1
    assert build_pool(folder, POOL) == 1
    assert build_pool(folder, dataclasses.replace(POOL, count=1)) == 0
    assert Pool(folder, CPU, {}).num_views == Pool(pool, CPU, {}).num_views == 12


@pytest.mark.parametrize(
    ("change", "said"),
    [({"seed": 1}, "seed 0, not 1"), ({"network_width": 4}, "network width 8, not 4"),
     ({"epochs": (0, 1)}, "epochs")],
)  # fmt: skip
def test_a_folder_holds_pools_of_one_making(pool: Path, change: dict[str, int], said: str) -> None:
    """Other settings in the same folder are refused by name."""
    with pytest.raises(DataError, match=said):
        build_pool(pool, dataclasses.replace(POOL, **change))


def test_validation_images_are_never_seen(tmp_path: Path, pool: Path) -> None:
    """Other validation images make the same pool, to the byte."""
    from ddcodec.datasets import ImageSplit
    from ddcodec.datasets.base import split_validation

    dataset = real_dataset()
    images = dataset.train.images.copy()
    _, validation = split_validation(dataset.train.labels)
    images[validation] = 255
    changed = dataclasses.replace(dataset, train=ImageSplit(images, dataset.train.labels))
    make_pool(changed, tmp_path / "pool", POOL, CPU, lambda _: None, lambda *_: None)
    for path in pool.iterdir():
        assert (tmp_path / "pool" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", WITH_POOL)
def test_losses_need_no_real_pass_with_a_pool(
    pool: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only synthetic images go through networks; the loss falls under views not used to descend."""
    loss = LOSSES[name](*training_data(), dataclasses.replace(SETTINGS, pool=str(pool)))
    images, labels = synthetic()
    seen: list[int] = []
    network = Pool(pool, CPU, {}).view(0).network
    embed = type(network).features
    monkeypatch.setattr(
        type(network), "features", lambda self, x: seen.append(len(x)) or embed(self, x)
    )
    before = sum(loss(images, labels, 2 * number).item() for number in range(12))
    # Twelve views, and the trained network of the eight that look through another one.
    assert sum(seen) == (12 + 8) * len(images)
    descend(loss, images, labels, rate=0.03)
    assert sum(loss(images, labels, 2 * number).item() for number in range(12)) < 0.9 * before


@pytest.mark.parametrize("name", WITH_POOL)
def test_resumed_losses_agree(pool: Path, name: str) -> None:
    """With a pool, too, a step is a function of the seed and its number; all views take turns."""
    settings = dataclasses.replace(SETTINGS, pool=str(pool))
    images, labels = synthetic()
    loss = LOSSES[name](*training_data(), settings)
    values = [loss(images, labels, 2 * number).item() for number in range(12)]
    resumed = LOSSES[name](*training_data(), settings)
    assert resumed(images, labels, 14).item() == loss(images, labels, 14).item()
    assert resumed(images, labels, 6).item() == values[3]
    # Two flips of one network are the same view.
    assert len(set(values)) > 9


def test_real_images_match_their_own_statistics(tmp_path: Path) -> None:
    """The training part itself is at distance 0, normalised in whatever way the run likes."""
    settings = dataclasses.replace(POOL, count=1, draws=1)
    folder = tmp_path / "pool"
    build_pool(folder, settings)
    images, labels = training_data()
    for mean, std in (((0.5,) * 3, (0.25,) * 3), ((0.4, 0.5, 0.6), (0.2, 0.3, 0.1))):
        run = dataclasses.replace(
            SETTINGS, mean=mean, std=std, pool=str(folder), options=NO_CROSS_ENTROPY
        )
        shown = (images / 255 - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
        shown_images = torch.from_numpy(shown).float()
        # bfloat16 made the statistics, where it pays; twenty times less than other images get.
        far, _ = synthetic()
        other = torch.arange(3).repeat(2)
        for kind, near in ((DistributionMatching, 0.05), (CharacteristicMatching, 0.2)):
            loss = kind(images, labels, run)
            at_home = float(loss(shown_images, torch.from_numpy(labels), 0))
            assert at_home < near * float(loss(far.detach(), other, 0))


def test_renormalisation_by_hand() -> None:
    """A value of 2 at mean 0.5, deviation 0.25 is a pixel of 1.0: 6 at mean 0.4, deviation 0.1."""
    change = Renormalisation(((0.5,), (0.25,)), ((0.4,), (0.1,)))
    assert change(torch.full((1, 1, 1, 1), 2.0)).item() == pytest.approx(6.0)


def test_cross_entropy_is_added(pool: Path) -> None:
    """Twice the weight adds twice as much, and the images get its gradient."""
    images, labels = synthetic()
    values = []
    for weight in (0.0, 1.0, 2.0):
        settings = dataclasses.replace(SETTINGS, pool=str(pool), options={"cross_entropy": weight})
        values.append(DistributionMatching(*training_data(), settings)(images, labels, 0).item())
    assert values[1] > values[0]
    assert values[2] - values[0] == pytest.approx(2 * (values[1] - values[0]), rel=1e-4)


def test_cross_entropy_is_that_of_the_network_as_its_training_ended(pool: Path) -> None:
    """Whichever member images are looked through, the trained one of the same training judges."""
    images, labels = synthetic()
    found = Pool(pool, CPU, {})
    settings = dataclasses.replace(SETTINGS, pool=str(pool), steps_per_network=1)
    losses = [
        DistributionMatching(
            *training_data(), dataclasses.replace(settings, options={"cross_entropy": weight})
        )
        for weight in (0.0, 1.0)
    ]
    untrained = 0
    for step in range(found.num_views):
        without, with_it = (loss(images, labels, step).item() for loss in losses)
        view = losses[1]._view
        assert view is not None
        untrained += view.network is not view.judge
        number = losses[1]._pool.last_networks().index(view.judge)  # type: ignore[union-attr]
        seen = losses[1]._renormalise(images)
        expected = 0.0
        for k in range(3):
            shown = augment.apply(seen[labels == k], view.augmentation)
            logits = found.last_networks()[number](shown)
            targets = torch.full((len(logits),), k)
            expected += torch.nn.functional.cross_entropy(logits, targets).item()
        assert with_it - without == pytest.approx(expected, rel=1e-3)
    assert untrained == found.num_views * 2 // 3


@pytest.mark.parametrize(("per_class", "weight"), [(1, 20.0), (20, 20.0), (25, 16.0), (80, 5.0)])
def test_the_more_images_the_milder_the_judge(pool: Path, per_class: int, weight: float) -> None:
    """Without a weight it is 400 over the images of the class, and 20 at most."""
    shape = (per_class, *training_data()[0].shape[1:])
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    labels = torch.zeros(per_class, dtype=torch.int64)
    settings = dataclasses.replace(SETTINGS, pool=str(pool))
    given = dataclasses.replace(settings, options={"cross_entropy": weight})
    values = [
        DistributionMatching(*training_data(), one)(images, labels, 0).item()
        for one in (settings, given)
    ]
    assert values[0] == values[1]


def test_a_pool_advises_a_rate(pool: Path) -> None:
    """Files made through a pool advise three times the usual rate, those without one nothing."""
    through = DistributionMatching(*training_data(), dataclasses.replace(SETTINGS, pool=str(pool)))
    assert through.student_rate == 0.03
    assert DistributionMatching(*training_data(), SETTINGS).student_rate is None


def test_random_networks_have_no_cross_entropy() -> None:
    """Without a pool the weight changes nothing."""
    images, labels = synthetic()
    values = {
        DistributionMatching(
            *training_data(), dataclasses.replace(SETTINGS, options={"cross_entropy": weight})
        )(images, labels, 0).item()
        for weight in (0.0, 10.0)
    }
    assert len(values) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [({"arch": "resnet"}, "arch convnet, not resnet"), ({"network_width": 9}, "width 8, not 9")],
)
def test_pools_of_another_architecture(pool: Path, change: dict[str, object], said: str) -> None:
    """A run that names its networks refuses others; one that names none takes what is there."""
    settings = dataclasses.replace(SETTINGS, pool=str(pool))
    with pytest.raises(DataError, match=said):
        DistributionMatching(*training_data(), dataclasses.replace(settings, **change))
    images, labels = synthetic()
    taken = dataclasses.replace(settings, network_width=None)
    assert DistributionMatching(*training_data(), taken)(images, labels, 0).isfinite()


def test_pools_of_another_dataset(pool: Path, tmp_path: Path) -> None:
    """Other images, another shape and a folder without a pool each get their sentence."""
    settings = dataclasses.replace(SETTINGS, pool=str(pool))
    with pytest.raises(DataError, match="another dataset or training part"):
        DistributionMatching(*real_data(), settings)
    with pytest.raises(DataError, match="image shape"):
        DistributionMatching(*training_data((3, 8, 8)), settings)
    with pytest.raises(DataError, match=r"holds no pool.*ddc pool"):
        DistributionMatching(*training_data(), dataclasses.replace(settings, pool=str(tmp_path)))


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_damaged_pools(tmp_path: Path, damage: bytes | None) -> None:
    """A cut file and an unreadable description are data errors that name them."""
    folder = tmp_path / "pool"
    build_pool(folder, dataclasses.replace(POOL, count=1))
    file = network_files.network_file(folder, 0)
    file.write_bytes(file.read_bytes()[:2000] if damage is None else damage)
    with pytest.raises(DataError, match=r"network-000\.pt.*damaged"):
        Pool(folder, CPU, {})
    (folder / "pool.json").write_text(json.dumps([1]))
    with pytest.raises(DataError, match="damaged"):
        Pool(folder, CPU, {})


@pytest.mark.parametrize(
    "change",
    [{"count": 0}, {"draws": 0}, {"epochs": ()}, {"epochs": (2, 1)}, {"epochs": (-1,)},
     {"mixes": (1.0,)}, {"seed": -1}, {"network_width": 0}],
)  # fmt: skip
def test_settings_that_make_no_pool(change: dict[str, object]) -> None:
    """Each setting is checked."""
    with pytest.raises(RecipeError):
        dataclasses.replace(PoolSettings(), **change)


@pytest.mark.parametrize(
    ("num_images", "epochs"),
    [(1, 10), (8_522, 10), (20_000, 7), (32_000, 4), (45_000, 3), (1_200_000, 3)],
)
def test_the_epochs_of_some_sizes(num_images: int, epochs: int) -> None:
    """Ten for a few thousand images, three from CIFAR-10 on; by sgd always ten."""
    assert PoolSettings().epochs_for(num_images)[-1] == epochs
    assert PoolSettings(optimiser="sgd").epochs_for(num_images)[-1] == 10
    assert PoolSettings(epochs=(0, 2)).epochs_for(num_images) == (0, 2)


@pytest.mark.parametrize("num_images", range(1, 100_000, 997))
def test_updates_are_enough_or_epochs_the_most(num_images: int) -> None:
    """Moments rise to the last epoch, and a training is as long as was promised."""
    epochs = PoolSettings().epochs_for(num_images)
    assert FEWEST_EPOCHS <= epochs[-1] <= MOST_EPOCHS
    assert epochs[-1] == MOST_EPOCHS or epochs[-1] * num_images / 64 >= FEWEST_UPDATES
    assert len(epochs) == 6 and epochs[0] > 0

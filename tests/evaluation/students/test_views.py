"""What networks are shown: augmented and mixed views with hard, soft or a labeler's targets."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ddcodec.errors import DataError, RecipeError
from ddcodec.evaluation import PROTOCOLS, LabelledImages, Protocol, train_network
from ddcodec.evaluation.students.mixing import mix, mix_singly
from ddcodec.evaluation.students.optimisers import (
    OPTIMISERS,
    SCHEDULES,
    build_optimisers,
    learning_rate,
)
from ddcodec.evaluation.students.views import Views
from ddcodec.networks import build

Mixing = Callable[[Tensor, Tensor, torch.Generator, float, float], tuple[Tensor, Tensor]]
PLAIN = Protocol("plain", updates=4, batch_size=4, network_width=4, augment=False)
ALL = replace(PLAIN, all_labels=True)
ROWS = torch.tensor([2, 0])


def _images(soft: bool = False, labeler: bool = False) -> LabelledImages:
    pixels = torch.arange(3 * 64, dtype=torch.uint8).reshape(3, 1, 8, 8)
    rows = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    return LabelledImages(
        pixels, torch.tensor([0, 1, 0]), (0.0,), (1.0,), rows if soft else None,
        (lambda images: images.mean((1, 2, 3))[:, None] * torch.tensor([0.0, 1.0])) if labeler
        else None,
    )  # fmt: skip


def _views(training: LabelledImages, protocol: Protocol) -> Views:
    training.check(2)
    return Views(training, 2, protocol, torch.Generator().manual_seed(0), torch.device("cpu"))


def test_hard_labels_are_classes() -> None:
    """Without mixing, targets are the integers, whatever else the training set has."""
    for training in (_images(), _images(soft=True), _images(soft=True, labeler=True)):
        images, targets = _views(training, PLAIN).batch(ROWS)
        assert torch.equal(targets, torch.tensor([0, 0]))
        assert torch.allclose(images[1], training.images[0] / 255)


def test_richer_labels_are_used_where_the_protocol_says_so() -> None:
    """Soft labels come as stored, a labeler's from the very view that is shown."""
    _, targets = _views(_images(soft=True), ALL).batch(ROWS)
    assert torch.equal(targets, torch.tensor([[0.5, 0.5], [0.9, 0.1]]))
    both = _images(soft=True, labeler=True)
    protocol = replace(ALL, augment=True, cutmix=1.0)
    images, targets = _views(both, protocol).batch(ROWS)
    means = images.mean((1, 2, 3))
    assert torch.allclose(targets[:, 1], means.sigmoid())
    assert both.label_mode == "labeler" and _images(soft=True).label_mode == "soft"
    assert both.with_hard_labels().label_mode == "hard"
    _, targets = _views(_images(), ALL).batch(ROWS)
    assert torch.equal(targets, torch.tensor([0, 0]))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_shows_other_views_each_time(name: str) -> None:
    """Views of small grey images are finite, differ from each other, and targets sum to one."""
    views = _views(_images(), PROTOCOLS[name])
    shown = [views.batch(ROWS) for _ in range(8)]
    assert all(images.shape == (2, 1, 8, 8) and images.isfinite().all() for images, _ in shown)
    assert len({images.numpy().tobytes() for images, _ in shown}) > 4
    for _, targets in shown:
        if targets.is_floating_point():
            assert torch.allclose(targets.sum(1), torch.ones(2))
        else:
            assert torch.equal(targets, torch.tensor([0, 0]))


def test_label_smoothing_by_hand() -> None:
    """A tenth is spread over two classes."""
    _, targets = _views(_images(), replace(PLAIN, label_smoothing=0.1)).batch(ROWS)
    assert torch.allclose(targets, torch.tensor([[0.95, 0.05], [0.95, 0.05]]))


@pytest.mark.parametrize(
    "protocol",
    [
        replace(PLAIN, always=("flip",)),
        replace(PLAIN, augment=True, operations=("flip",)),
    ],
    ids=["always", "the only one to draw"],
)
def test_operations_that_a_protocol_names(protocol: Protocol) -> None:
    """A flip that is always applied, or that alone can be drawn, reverses some rows only."""
    training = _images()
    images, _ = _views(training, protocol).batch(torch.arange(3).repeat(9))
    plain = (training.images / 255).repeat(9, 1, 1, 1)
    flipped = [torch.allclose(a, b.flip(2)) for a, b in zip(images, plain, strict=True)]
    kept = [torch.allclose(a, b) for a, b in zip(images, plain, strict=True)]
    assert 0 < sum(flipped) < 27 and sum(kept) == 27 - sum(flipped)


def test_a_wrong_labeler_is_refused() -> None:
    """Logits of another number of classes are no labels."""

    def labeler(images: Tensor) -> Tensor:
        return images.flatten(1)

    with pytest.raises(DataError, match=r"returned \(2, 64\)"):
        _views(replace(_images(), labeler=labeler), ALL).batch(ROWS)


@pytest.mark.parametrize(
    "rows", [[[0.5, 0.5]] * 2, [[1.0, 0.1]] * 3, [[1.5, -0.5]] * 3, [[float("nan"), 1.0]] * 3]
)
def test_what_are_no_probabilities_is_refused(rows: list[list[float]]) -> None:
    """Soft labels have a row per image and sum to 1."""
    with pytest.raises(DataError, match="Soft labels"):
        replace(_images(), soft_labels=torch.tensor(rows)).check(2)


def test_normalised_images_are_taken_as_they_are() -> None:
    """Float images are what networks see; other floats are refused."""
    seen = torch.randn(3, 1, 8, 8)
    images, _ = _views(replace(_images(), images=seen), PLAIN).batch(ROWS)
    assert torch.equal(images, seen[ROWS])
    with pytest.raises(DataError, match="uint8"):
        _views(replace(_images(), images=seen.double()), PLAIN)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("mixed_by", [mix, mix_singly])
def test_mixed_targets_say_how_much_is_whose(mixed_by: Mixing, seed: int) -> None:
    """The mean of an image whose pixels are its class equals its mixed target."""
    images = torch.tensor([0.0, 1.0, 1.0])[:, None, None, None].expand(3, 1, 7, 9).contiguous()
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    for cutmix in (0.0, 1.0):
        generator = torch.Generator().manual_seed(seed)
        mixed, shares = mixed_by(images, targets, generator, cutmix, 1 - cutmix)
        assert torch.allclose(mixed.mean((1, 2, 3)), shares[:, 1], atol=1e-6)
        assert torch.allclose(shares.sum(1), torch.ones(3))
        if cutmix:
            assert set(mixed.flatten().tolist()) <= {0.0, 1.0}


def test_every_image_is_mixed_by_a_draw_of_its_own() -> None:
    """At 1/2 about half of a batch is mixed, in as many shares; at 0 none is."""
    images, targets = (
        torch.arange(200.0)[:, None, None, None].expand(200, 1, 32, 32),
        torch.eye(200),
    )
    generator = torch.Generator().manual_seed(0)
    mixed, shares = mix_singly(images, targets, generator, 0.5, 0.0)
    changed = (mixed != images).flatten(1).any(1)
    assert 70 < int(changed.sum()) < 130
    assert len(shares.max(1).values[changed].unique()) > 20
    assert torch.equal(mix_singly(images, targets, generator, 0.0, 0.0)[0], images)


def test_jitter_takes_the_place_of_dsa() -> None:
    """Where each image has its own draws, two turns of one image in a batch differ."""
    images, _ = _views(_images(), replace(PLAIN, singly=True, augment=True)).batch(ROWS[[0, 0]])
    assert not torch.equal(images[0], images[1])


def test_mixing_happens_as_often_as_asked() -> None:
    """At probability 0 nothing is mixed, at 1/2 about half of the batches."""
    images, targets = torch.randn(4, 1, 8, 8), torch.eye(4)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(mix(images, targets, generator, 0.0, 0.0)[0], images)
    changed = sum(mix(images, targets, generator, 0.5, 0.0)[1] is not targets for _ in range(200))
    assert 70 < changed < 130


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("labels", ["hard", "soft", "labeler"])
def test_every_optimiser_schedule_and_kind_of_label_trains(
    optimiser: str, schedule: str, labels: str
) -> None:
    """Weights change and stay finite with each combination."""
    training = _images(soft=labels == "soft", labeler=labels == "labeler")
    assert training.label_mode == labels
    protocol = replace(ALL, optimiser=optimiser, schedule=schedule, cutmix=0.5, mixup=0.5)
    network = train_network(training, 2, protocol, 0)
    fresh = build("convnet", (1, 8, 8), 2, seed=0, network_width=4)
    assert torch.isfinite(network.classifier.weight).all()
    assert not torch.equal(network.classifier.weight, fresh.classifier.weight)


def test_rates_by_hand() -> None:
    """Steps fall to a tenth at half, cosines to nothing; a warm-up starts low."""
    step = [learning_rate(PLAIN, update, 5) for update in range(5)]
    assert step == pytest.approx([0.01, 0.01, 0.001, 0.001, 0.001])
    warm = replace(PLAIN, schedule="cosine", warmup=0.5, learning_rate=1.0)
    rates = [learning_rate(warm, update, 4) for update in range(4)]
    assert rates == pytest.approx([0.5, 0.853553, 0.5, 0.146447], abs=1e-5)
    assert [learning_rate(PLAIN, 0, 1)] == pytest.approx([0.001])


def test_decay_is_the_protocols() -> None:
    """All optimisers take rate and decay from the protocol."""
    network = build("convnet", (1, 8, 8), 2, seed=0, network_width=4)
    for name in OPTIMISERS:
        protocol = replace(PLAIN, optimiser=name, learning_rate=0.3, weight_decay=0.2)
        for optimiser in build_optimisers(network, protocol):
            for group in optimiser.param_groups:
                assert (group["lr"], group["weight_decay"]) == (0.3, 0.2)


def test_probabilities_beyond_one_are_refused() -> None:
    """CutMix and mixup exclude each other, so they cannot be likely both."""
    with pytest.raises(RecipeError, match="probability"):
        replace(PLAIN, cutmix=0.6, mixup=0.6)


def test_every_turn_of_an_image_shows_one_of_its_renditions() -> None:
    """Rows are images; which of their renditions comes is drawn, labels come with it."""
    pixels = torch.arange(6, dtype=torch.uint8).reshape(6, 1, 1, 1).expand(6, 1, 8, 8)
    training = LabelledImages(
        pixels, torch.tensor([0, 0, 0, 1, 1, 1]), (0.0,), (1.0,), renditions=3
    )
    assert training.num_images == 2
    views = _views(training, PLAIN)
    seen = set()
    for _ in range(60):
        images, targets = views.batch(torch.tensor([1, 0]))
        assert torch.equal(targets, torch.tensor([1, 0]))
        seen.add(tuple((255 * images[:, 0, 0, 0]).round().int().tolist()))
    assert seen == {(second, first) for second in (3, 4, 5) for first in (0, 1, 2)}
    with pytest.raises(DataError, match="6 images are not 4 renditions"):
        replace(training, renditions=4).check(2)

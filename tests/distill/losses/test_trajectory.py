"""Trajectory matching against plain unrolled training."""

import dataclasses
from pathlib import Path

import pytest
import torch
from distill.linear_network import LinearNetwork
from distill.loss_inputs import EXPERTS, SETTINGS, build_experts, synthetic, training_data
from torch import Tensor

from ddcodec.distill.losses import LossSettings, TrajectoryMatching, trajectory
from ddcodec.distill.losses.real_data import OWN
from ddcodec.distill.losses.trajectory import _VIEWS
from ddcodec.distill.losses.unrolled import UnrolledStudent
from ddcodec.distill.trained.experts import Experts
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.errors import DataError, RecipeError
from ddcodec.networks import NETWORKS, augment, precision

RATE = 0.3


@pytest.fixture
def by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LossSettings:
    """Networks are matrices, nothing is augmented, one expert, every update sees all images."""
    monkeypatch.setitem(NETWORKS, "linear", LinearNetwork)
    experts = dataclasses.replace(EXPERTS, count=1, arch="linear")
    build_experts(tmp_path / "experts", experts, shape=(1, 8, 8))
    monkeypatch.setattr(augment, "apply", lambda images, _: images)
    made = Experts(tmp_path / "experts", torch.device("cpu"), {})
    options = {"expert_epochs": 3, "student_batch": 6, "student_rate": RATE}
    return dataclasses.replace(
        SETTINGS, mean=made.mean, std=made.std, network_width=None,
        experts=str(tmp_path / "experts"), options=options,
    )  # fmt: skip


def _loss(settings: LossSettings, **options: float) -> TrajectoryMatching:
    changed = dataclasses.replace(settings, options={**settings.options, **options})
    return TrajectoryMatching(*training_data((1, 8, 8)), changed)


def _student(
    settings: LossSettings, images: Tensor, labels: Tensor, rate: Tensor, steps: int
) -> Tensor:
    """Return the loss of a matrix after textbook gradient descent, unrolled by autograd."""
    experts = Experts(Path(str(settings.experts)), torch.device("cpu"), {})
    start, target = (experts.weights(0, epoch).view(3, 64) for epoch in (0, 3))
    pixels, targets = images.flatten(1), torch.eye(3)[labels]
    weights = start
    for _ in range(steps):
        surprise = (pixels @ weights.T).softmax(dim=1) - targets
        weights = weights - rate * surprise.T @ pixels / len(pixels)
    return (weights - target).square().sum() / (start - target).square().sum()


@pytest.mark.parametrize("steps", [1, 4])
def test_loss_and_gradients_by_the_textbook(by_hand: LossSettings, steps: int) -> None:
    """All updates are differentiated: images and rate get the gradients of the whole way."""
    loss = _loss(by_hand, student_steps=steps)
    images, labels = synthetic((1, 8, 8))
    value = loss(images, labels, 0)
    rate = torch.tensor(RATE, requires_grad=True)
    expected = _student(by_hand, images, labels, rate, steps)
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)
    wanted_images, wanted_rate = torch.autograd.grad(expected, (images, rate))
    given_images, given_log = torch.autograd.grad(value, (images, *loss.parameters()))
    assert torch.allclose(given_images, wanted_images, rtol=1e-3, atol=1e-5)
    assert float(given_log) == pytest.approx(float(wanted_rate) * RATE, rel=1e-3)


def test_a_student_that_does_not_move_is_at_distance_one(by_hand: LossSettings) -> None:
    """At a rate of nearly zero the loss is ‖θ − θ*‖² / ‖θ − θ*‖²."""
    images, labels = synthetic((1, 8, 8))
    assert _loss(by_hand, student_rate=1e-9)(images, labels, 0).item() == pytest.approx(1.0)


def test_descending_finds_images_and_a_rate(by_hand: LossSettings) -> None:
    """Students come closer to the expert as images and rate are learned together."""
    loss = _loss(by_hand, student_steps=4, student_rate=0.001)
    images, labels = synthetic((1, 8, 8))
    before = loss(images, labels, 0).item()
    optimizer = torch.optim.Adam([images, *loss.parameters()], lr=0.05)
    for step in range(40):
        optimizer.zero_grad()
        loss(images, labels, step).backward()
        optimizer.step()
    assert loss(images, labels, 0).item() < 0.8 * before
    assert loss.student_rate > 0.001


def test_starts_and_experts_vary(tmp_path: Path) -> None:
    """Over many steps every expert and every allowed start is used, and no other."""
    build_experts(tmp_path / "e", dataclasses.replace(EXPERTS, epochs=5))
    options = {"min_start_epoch": 1, "max_start_epoch": 3, "expert_epochs": 2}
    settings = dataclasses.replace(SETTINGS, experts=str(tmp_path / "e"), options=options)
    loss = TrajectoryMatching(*training_data(), settings)
    experts = Experts(tmp_path / "e", torch.device("cpu"), {})
    ends = {
        (n, e): (experts.weights(n, e), experts.weights(n, e + 2)) for n in (0, 1) for e in (1, 2)
    }
    seen = set()
    for step in range(40):
        segment = loss._segment(6, step)
        found = [
            key for key, (start, target) in ends.items()
            if torch.equal(start, segment.start) and torch.equal(target, segment.target)
        ]  # fmt: skip
        assert len(found) == 1
        seen.add(found[0])
    assert seen == set(ends)


def test_every_image_is_used_alike(by_hand: LossSettings) -> None:
    """Batches are shuffles strung together: nine batches of two are three passes over six."""
    rows = _loss(by_hand, student_steps=9, student_batch=2)._segment(6, 0).rows
    assert rows.shape == (9, 2)
    assert torch.bincount(rows.flatten()).tolist() == [3] * 6


def test_starts_become_more_as_steps_go_on(tmp_path: Path) -> None:
    """At first a student starts early in training; after `growing_steps` wherever it may."""
    build_experts(tmp_path / "e", dataclasses.replace(EXPERTS, epochs=9))
    options = {"max_start_epoch": 7, "first_start_epochs": 2, "growing_steps": 50}
    settings = dataclasses.replace(SETTINGS, experts=str(tmp_path / "e"), options=options)
    loss = TrajectoryMatching(*training_data(), settings)
    assert [loss._starts(step) for step in (0, 9, 10, 49, 50, 999)] == [2, 2, 3, 6, 7, 7]
    at_once = dataclasses.replace(settings, options={"max_start_epoch": 7})
    assert TrajectoryMatching(*training_data(), at_once)._starts(0) == 7


def test_views_are_those_of_every_update_alone(tmp_path: Path) -> None:
    """Augmenting the updates of one operation together changes nothing."""
    build_experts(tmp_path / "e", EXPERTS)
    settings = dataclasses.replace(
        SETTINGS, experts=str(tmp_path / "e"), options={"student_steps": 12, "student_batch": 4,
                                                        "max_start_epoch": 1},
    )  # fmt: skip
    loss = TrajectoryMatching(*training_data(), settings)
    images, _ = synthetic()
    rows = loss._rows(len(images), 3)
    views = loss._views(images.detach(), rows, 3)
    for update in range(12):
        draw = augment.draw(loss._stream(OWN, _VIEWS, 3, update), 4, siamese=False)
        alone = augment.apply(images.detach()[rows[update]], draw)
        assert torch.allclose(views[update], alone, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"student_steps": 0}, {"student_rate": 0.0}, {"min_start_epoch": 20},
     {"min_start_epoch": 2}, {"expert_epochs": 4}, {"growing_steps": -1},
     {"first_start_epochs": 0}],
)  # fmt: skip
def test_options_that_cannot_work(by_hand: LossSettings, options: dict[str, float]) -> None:
    """What is out of range, or beyond the experts' three epochs, is refused."""
    with pytest.raises(RecipeError):
        _loss(by_hand, **options)


def test_experts_are_asked_for() -> None:
    """Without a folder, or with one that holds none, the error names the command."""
    with pytest.raises(RecipeError, match=r"ddc experts.*--experts"):
        TrajectoryMatching(*training_data(), SETTINGS)
    with pytest.raises(DataError, match="holds no experts"):
        TrajectoryMatching(*training_data(), dataclasses.replace(SETTINGS, experts="nowhere"))


def test_students_are_compiled_once_it_pays(
    by_hand: LossSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That follows from the step, so that a run that goes on computes as one that never stopped."""
    monkeypatch.setattr(precision, "compiler_found", lambda: True)
    monkeypatch.setattr(trajectory, "SLOPES_TO_COMPILE", 3)
    chosen = []

    def student(network: FlatNetwork, bfloat16: bool, is_compiled: bool) -> UnrolledStudent:
        chosen.append(is_compiled)
        return UnrolledStudent(network, bfloat16, is_compiled=False)

    monkeypatch.setattr(trajectory, "UnrolledStudent", student)
    images, labels = synthetic((1, 8, 8))
    loss = _loss(by_hand, student_steps=4, student_batch=6)
    # A step sees 24 images of 8×8, which are one and a half of 32×32.
    for step, expected in ((0, [False]), (1, [False]), (2, [False, True]), (1, [False, True])):
        loss(images, labels, step)
        assert chosen == expected
    goes_on = _loss(by_hand, student_steps=4, student_batch=6)
    goes_on(images, labels, 2)
    assert chosen == [False, True, True]

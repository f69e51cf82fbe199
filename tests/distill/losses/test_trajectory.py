"""Trajectory matching against plain unrolled training, and its memory."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from distill.linear_network import LinearNetwork
from distill.loss_inputs import EXPERTS, SETTINGS, build_experts, synthetic, training_data
from torch import Tensor

from ddcodec.distill.experts import Experts
from ddcodec.distill.losses import LossSettings, TrajectoryMatching
from ddcodec.errors import DataError, RecipeError
from ddcodec.networks import NETWORKS, augment

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
    settings: LossSettings, images: Tensor, labels: Tensor, rate: Tensor, steps: int, whole: bool
) -> Tensor:
    """Return the loss of a matrix after textbook gradient descent; `whole` unrolls the weights."""
    experts = Experts(Path(str(settings.experts)), torch.device("cpu"), {})
    start, target = (experts.weights(0, epoch).view(3, 64) for epoch in (0, 3))
    pixels, targets = images.flatten(1), torch.eye(3)[labels]
    weights = start
    total = torch.zeros_like(start)
    for _ in range(steps):
        used = weights if whole else weights.detach()
        surprise = (pixels @ used.T).softmax(dim=1) - targets
        total = total + surprise.T @ pixels / len(pixels)
        weights = start - rate * total
    return (weights - target).square().sum() / (start - target).square().sum()


@pytest.mark.parametrize(("steps", "whole"), [(1, True), (4, False)])
def test_loss_and_gradients_by_the_textbook(by_hand: LossSettings, steps: int, whole: bool) -> None:
    """One step is exact; several are what stays when later weights count as constants."""
    loss = _loss(by_hand, student_steps=steps)
    images, labels = synthetic((1, 8, 8))
    value = loss(images, labels, 0)
    rate = torch.tensor(RATE, requires_grad=True)
    expected = _student(by_hand, images, labels, rate, steps, whole)
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)
    wanted_images, wanted_rate = torch.autograd.grad(expected, (images, rate))
    given_images, given_log = torch.autograd.grad(value, (images, *loss.parameters()))
    assert torch.allclose(given_images, wanted_images, rtol=1e-3, atol=1e-5)
    assert float(given_log) == pytest.approx(float(wanted_rate) * RATE, rel=1e-3)


def test_a_part_of_the_steps_stands_for_all(by_hand: LossSettings) -> None:
    """Each of four steps differentiated alone, four times as much, is the whole on average."""
    images, labels = synthetic((1, 8, 8))
    whole_loss = _loss(by_hand, student_steps=4)
    part_loss = _loss(by_hand, student_steps=4, differentiated_steps=1)
    (whole,) = torch.autograd.grad(whole_loss(images, labels, 0), images)
    parts: list[Tensor] = []
    for step in range(40):
        value = part_loss(images, labels, step)
        assert value.item() == pytest.approx(whole_loss(images, labels, step).item(), rel=1e-6)
        (part,) = torch.autograd.grad(value, images)
        if not any(torch.allclose(part, known, rtol=1e-3) for known in parts):
            parts.append(part)
    assert len(parts) == 4
    assert (torch.stack(parts).mean(0) - whole).norm() < 1e-4 * whole.norm()


def test_a_student_that_does_not_move_is_at_distance_one(by_hand: LossSettings) -> None:
    """At a rate of nearly zero the loss is ‖θ − θ*‖² / ‖θ − θ*‖²."""
    images, labels = synthetic((1, 8, 8))
    assert _loss(by_hand, student_rate=1e-9)(images, labels, 0).item() == pytest.approx(1.0)


class _Kept:
    """A tensor that autograd holds on to, counted while it does."""

    def __init__(self, tensor: Tensor, count: dict[str, int]) -> None:
        self.tensor, self.count = tensor, count
        count["now"] += tensor.numel()
        count["peak"] = max(count["peak"], count["now"])

    def __del__(self) -> None:
        self.count["now"] -= self.tensor.numel()


@contextmanager
def _counted() -> Iterator[dict[str, int]]:
    count = {"now": 0, "peak": 0}
    pack: Callable[[Tensor], Any] = lambda tensor: _Kept(tensor, count)  # noqa: E731
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        yield count


def test_memory_does_not_grow_with_student_steps(by_hand: LossSettings) -> None:
    """Autograd keeps as much for twelve steps as for two; plain unrolling keeps six times that."""
    images, labels = synthetic((1, 8, 8))
    peaks, plain = [], []
    for steps in (2, 12):
        with _counted() as count:
            _loss(by_hand, student_steps=steps)(images, labels, 0).backward()
        peaks.append(count["peak"])
        with _counted() as count:
            rate = torch.tensor(RATE)
            _student(by_hand, images, labels, rate, steps, whole=True).backward()
        plain.append(count["peak"])
    assert peaks[0] == peaks[1] > 0
    assert plain[1] > 3 * plain[0]


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
    batches = _loss(by_hand, student_steps=9, student_batch=2)._segment(6, 0).batches
    assert [len(rows) for rows in batches] == [2] * 9
    assert torch.bincount(torch.cat(batches)).tolist() == [3] * 6


@pytest.mark.parametrize(
    "options",
    [{"student_steps": 0}, {"student_rate": 0.0}, {"min_start_epoch": 20},
     {"min_start_epoch": 2}, {"expert_epochs": 4}],
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

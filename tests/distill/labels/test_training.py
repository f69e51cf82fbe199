"""Labelers learn, keep to their size, and go on where they were."""

from dataclasses import replace

import pytest
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.distill.labels.architecture import labeler_shape
from ddcodec.distill.labels.trainable import TrainableLabeler
from ddcodec.distill.labels.training import LabelerSettings, LabelerTraining
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.networks import precision, replay

SETTINGS = LabelerSettings(epochs=12, batch_size=16, warmup_updates=4)


def _training(
    budget_bits: float | None = None, epochs: float = 12, device: str = "cpu"
) -> tuple[LabelerTraining, TrainableLabeler]:
    part = TrainingPart.of(tiny_dataset(per_class=40))
    network = TrainableLabeler(labeler_shape(part.image_shape, 2, 16), seed=0).to(device)
    settings = replace(SETTINGS, epochs=epochs)
    return LabelerTraining(part, network, settings, 0, budget_bits), network


def test_learns() -> None:
    """The loss falls."""
    training, _ = _training()
    losses = [training.update() for _ in range(training.updates)]
    assert sum(losses[-6:]) < 0.8 * sum(losses[:6])


def test_size_follows_the_budget() -> None:
    """At the end the weights have the size they were to have."""
    training, network = _training(budget_bits=9000.0, epochs=40)
    assert float(network.rate_bits().detach()) > 10_000
    for _ in range(training.updates):
        training.update()
    assert 7500 < float(network.rate_bits().detach()) < 9200


def test_resumed_training_is_the_same() -> None:
    """State saved and restored half way leads to the same weights."""
    whole, network = _training(budget_bits=9000.0)
    for _ in range(6):
        whole.update()
    first, _ = _training(budget_bits=9000.0)
    for _ in range(3):
        first.update()
    second, resumed = _training(budget_bits=9000.0)
    second.restore(first.state())
    for _ in range(3, 6):
        second.update()
    for name, value in network.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("budget_bits", [9000.0, None])
def test_the_rate_of_a_long_training_is_compiled(
    budget_bits: float | None,
    compiled_graphs: list[torch.fx.GraphModule],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only where there is one; it is one program, and the weights are the same but for rounding."""
    eager, network = _training(budget_bits)
    monkeypatch.setattr(precision, "compiler_found", lambda: True)
    monkeypatch.setattr("ddcodec.distill.labels.training.COMPILE_FROM_UPDATES", 1)
    long, same = _training(budget_bits)
    for _ in range(3):
        assert long.update() == pytest.approx(eager.update(), rel=1e-4)
    assert torch.allclose(network.out_weight, same.out_weight, atol=1e-4)
    # One with the gradient and one without, which steers.
    assert len(compiled_graphs) == (0 if budget_bits is None else 2)


def test_a_teacher_is_followed() -> None:
    """With a teacher that always says the second class, that is what is learned."""
    part = TrainingPart.of(tiny_dataset(per_class=40))
    network = TrainableLabeler(labeler_shape(part.image_shape, 2, 16), seed=0)

    def teacher(images: torch.Tensor) -> torch.Tensor:
        return torch.tensor([[-9.0, 9.0]]).expand(len(images), 2)

    settings = LabelerSettings(epochs=12, batch_size=16, warmup_updates=4, teacher_share=1.0)
    training = LabelerTraining(part, network, settings, 0, teacher=teacher)
    for _ in range(training.updates):
        training.update()
    with torch.no_grad():
        assert bool((network.eval()(part.images.float()).argmax(1) == 1).all())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_recorded_updates_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses on a GPU that repeats updates are those of one that is told each, or very near."""
    losses = []
    for warm_ups in (replay.WARM_UPS, 10**6):
        monkeypatch.setattr(replay, "WARM_UPS", warm_ups)
        training, _ = _training(budget_bits=9000.0, device="cuda")
        losses.append([training.update() for _ in range(12)])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0][0] != losses[0][-1]

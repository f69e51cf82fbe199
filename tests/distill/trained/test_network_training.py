"""Networks of pools and experts: interrupted anywhere, they go on to the same weights."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from distill.loss_inputs import EXPERTS, POOL, build_experts, build_pool, real_dataset
from torch import Tensor

from ddcodec.distill.trained import network_training
from ddcodec.distill.trained.derivatives import LossDerivatives
from ddcodec.distill.trained.network_training import NetworkRun, Schedule, Trainer
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.errors import DataError
from ddcodec.networks import precision

POOL_SMALL_BATCHES = dataclasses.replace(POOL, epochs=(0, 4, 9), count=1)
EXPERTS_LONG = dataclasses.replace(EXPERTS, epochs=7, count=1)


def _pool(folder: Path) -> None:
    build_pool(folder, POOL_SMALL_BATCHES)


def _experts(folder: Path) -> None:
    build_experts(folder, EXPERTS_LONG)


MAKERS = {"pool": _pool, "experts": _experts}
Maker = Callable[[Path], None]


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """Return what fills a folder with a network that is kept after every update."""
    monkeypatch.setattr("ddcodec.kept.training.EVERY_SECONDS", 0.0)
    return MAKERS[request.param]


def _stop_before(number: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let training be interrupted before an update; returns which are made."""
    made: list[int] = []
    update = NetworkRun.update

    def stopped(run: NetworkRun) -> object:
        if run.done == number:
            raise KeyboardInterrupt
        made.append(run.done)
        return update(run)

    monkeypatch.setattr(NetworkRun, "update", stopped)
    return made


def _interrupt(make: Maker, folder: Path, number: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _stop_before(number, patch)
        with pytest.raises(KeyboardInterrupt):
            make(folder)


def test_it_goes_on_where_it_was(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted before its sixth update, a network makes the rest only, and ends the same."""
    make(tmp_path / "whole")
    _interrupt(make, tmp_path / "halves", 5)
    made = _stop_before(-1, monkeypatch)
    make(tmp_path / "halves")
    assert made[0] == 5
    expected, found = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("whole", "halves")
    )
    assert found == expected


def test_what_is_damaged_is_refused(make: Maker, tmp_path: Path) -> None:
    """A flipped bit of the network in training is found; the sentence says what to do."""
    _interrupt(make, tmp_path / "halves", 3)
    state = tmp_path / "halves" / "network-000.state"
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 1
    state.write_bytes(data)
    with pytest.raises(DataError, match=r"network-000\.state' is damaged; delete it to begin"):
        make(tmp_path / "halves")


def test_the_state_of_another_training_is_refused(make: Maker, tmp_path: Path) -> None:
    """Sound, but of a network of another width."""
    narrow = dataclasses.replace(EXPERTS_LONG, network_width=4)

    def make_narrow(folder: Path) -> None:
        build_experts(folder, narrow)

    _interrupt(make_narrow, tmp_path / "narrow", 3)
    _interrupt(make, tmp_path / "halves", 3)
    state = "network-000.state"
    (tmp_path / "narrow" / state).replace(tmp_path / "halves" / state)
    with pytest.raises(DataError, match="delete it to begin again"):
        make(tmp_path / "halves")


def test_a_state_left_behind_is_removed(make: Maker, tmp_path: Path) -> None:
    """Killed between the finished network and the removal of its state, the next run clears it."""
    make(tmp_path / "whole")
    state = tmp_path / "whole" / "network-000.state"
    state.write_bytes(b"left")
    make(tmp_path / "whole")
    assert not state.exists()


def test_long_trainings_are_compiled(
    make: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what one network sees, however many there are: a folder that grows keeps its networks."""
    chosen = []

    class Watched(LossDerivatives):
        def __init__(self, network: FlatNetwork, bfloat16: bool, is_compiled: bool) -> None:
            chosen.append(is_compiled)
            super().__init__(network, bfloat16, is_compiled=False)

    monkeypatch.setattr(precision, "compiler_found", lambda: True)
    monkeypatch.setattr(network_training, "LossDerivatives", Watched)
    monkeypatch.setattr(network_training, "GRADIENTS_TO_COMPILE", 0)
    make(tmp_path / "long")
    monkeypatch.setattr(network_training, "GRADIENTS_TO_COMPILE", 1e9)
    make(tmp_path / "short")
    assert chosen == [True, False, False, False]


def test_parts_of_a_batch_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradient and loss of seven images are those of parts of three, three and one."""
    network = FlatNetwork("convnet", (3, 16, 12), 3, 8, torch.device("cpu"))
    part = TrainingPart.of(real_dataset((3, 16, 12)))
    schedule = Schedule(learning_rate=0.1, batch_size=7)
    weights = network.initial(0)
    batch = torch.randn((7, 3, 16, 12)), torch.arange(7) % 3
    found, parts = [], []
    for count in (7, 3):
        trainer = Trainer(part, network, schedule, epochs=1, bfloat16=False)
        monkeypatch.setattr(precision, "micro_batch", lambda *_, count=count: count)
        found.append(trainer.gradient(weights, batch))

    def counted(_: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        parts.append(len(labels))
        return torch.zeros_like(weights), torch.zeros(())

    monkeypatch.setattr(LossDerivatives, "gradient", staticmethod(counted))
    Trainer(part, network, schedule, epochs=1, bfloat16=False).gradient(weights, batch)
    assert parts == [3, 3, 1]
    for whole, added in zip(*found, strict=True):
        assert torch.allclose(whole, added, rtol=1e-4, atol=1e-6)


def test_rates_fall_to_nothing() -> None:
    """In a line from a part of the training on, and not at all where none is named."""
    falling = Schedule(learning_rate=0.5, falling_from=0.5)
    assert [falling.rate(done, 8) for done in (0, 4, 5, 6, 7)] == [0.5, 0.5, 0.375, 0.25, 0.125]
    assert [Schedule(learning_rate=0.5).rate(done, 8) for done in (0, 7)] == [0.5, 0.5]

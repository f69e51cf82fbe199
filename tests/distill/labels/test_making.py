"""Teachers and labelers are made once, resumed, and refused where they do not belong."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.codec.parameters import coded_bits
from ddcodec.distill.labels.architecture import shape_for_budget
from ddcodec.distill.labels.making import TeacherSettings, load_teacher, make_labeler, make_teacher
from ddcodec.distill.labels.training import LabelerSettings, LabelerTraining
from ddcodec.distill.trained.network_training import TrainingProgress
from ddcodec.errors import BudgetError, DataError

QUICK = LabelerSettings(epochs=6, batch_size=16, warmup_updates=4)
TEACHER = TeacherSettings(last_width=16, training=QUICK)
CPU = torch.device("cpu")


def _ignore(progress: TrainingProgress) -> None:
    """Show nothing."""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))


def test_a_teacher_is_loaded_as_it_was_made(tmp_path: Path) -> None:
    """What a folder holds says the same as what was trained."""
    dataset = tiny_dataset(per_class=30)
    made = make_teacher(dataset, tmp_path / "t", TEACHER, CPU, _ignore)
    loaded = load_teacher(dataset, tmp_path / "t", CPU)
    images = torch.from_numpy(dataset.train.images).float()
    with torch.no_grad():
        assert torch.equal(made.network(images), loaded(images))


def test_interrupted_teacher_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after some updates, training ends at the same weights, and repeats none."""
    dataset = tiny_dataset(per_class=30)
    whole = make_teacher(dataset, tmp_path / "whole", TEACHER, CPU, _ignore).network
    monkeypatch.setattr("ddcodec.kept.training.EVERY_SECONDS", 0.0)
    seen: list[int] = []
    update = LabelerTraining.update

    def until(last: int) -> None:
        def stopped(self: LabelerTraining) -> float:
            if self.done == last:
                raise KeyboardInterrupt
            seen.append(self.done)
            return update(self)

        monkeypatch.setattr(LabelerTraining, "update", stopped)

    until(7)
    with pytest.raises(KeyboardInterrupt):
        make_teacher(dataset, tmp_path / "t", TEACHER, CPU, _ignore)
    until(-1)
    resumed = make_teacher(dataset, tmp_path / "t", TEACHER, CPU, _ignore).network
    assert seen == list(range(len(seen)))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_teacher_of_another_dataset_is_refused(tmp_path: Path) -> None:
    """A teacher says what it was trained on."""
    make_teacher(tiny_dataset(per_class=30), tmp_path / "t", TEACHER, CPU, _ignore)
    with pytest.raises(DataError, match="of another dataset"):
        load_teacher(tiny_dataset(per_class=31), tmp_path / "t", CPU)


def test_a_labeler_fits_its_budget_and_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its coded size is within the budget; asked for again, nothing is trained."""
    dataset = tiny_dataset(per_class=30)
    settings = replace(QUICK, epochs=30)
    made = make_labeler(dataset, 1500, settings, 0, CPU, _ignore)
    size = sum(coded_bits(tensor) for tensor in made.network.tensors().values()) / 8
    assert 1000 < size <= 1500

    def refuse(self: LabelerTraining) -> float:
        raise AssertionError("trained again")

    monkeypatch.setattr(LabelerTraining, "update", refuse)
    again = make_labeler(dataset, 1500, settings, 0, CPU, _ignore)
    assert again.accuracy == made.accuracy


def test_no_labeler_fits_nothing() -> None:
    """A budget below the smallest labeler is refused."""
    with pytest.raises(BudgetError, match="No labeler fits 100 bytes"):
        make_labeler(tiny_dataset(per_class=30), 100, replace(QUICK, epochs=1), 0, CPU, _ignore)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    """Damage is told from nothing to go on from."""
    folder = tmp_path / "t"
    dataset = tiny_dataset(per_class=30)
    make_teacher(dataset, folder, TEACHER, CPU, _ignore)
    (folder / "network-000.pt").unlink()
    (folder / "network-000.state").write_bytes(b"rubbish")
    with pytest.raises(DataError, match="delete it to begin again"):
        make_teacher(dataset, folder, TEACHER, CPU, _ignore)


def test_no_wider_than_its_teacher(tmp_path: Path) -> None:
    """A labeler that learns from a teacher has its width at most, whatever the budget."""
    dataset = tiny_dataset(per_class=30)
    make_teacher(dataset, tmp_path / "t", TEACHER, CPU, _ignore)
    shape = make_labeler(dataset, 20_000, QUICK, 0, CPU, _ignore, tmp_path / "t").network.shape
    assert shape.layers[-1].channels == 16
    assert shape_for_budget(shape.image_shape, 2, 8 * 20_000).layers[-1].channels > 16

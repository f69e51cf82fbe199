"""Experts: whole trajectories, resumable, honest about what they were made of."""

import dataclasses
from pathlib import Path

import pytest
import torch
from distill.loss_inputs import (
    EXPERTS,
    SETTINGS,
    build_experts,
    real_dataset,
    training_data,
)
from torch.nn.functional import cross_entropy

from ddcodec.distill.losses import TrajectoryMatching
from ddcodec.distill.trained import network_files
from ddcodec.distill.trained.experts import Experts, ExpertSettings, make_experts
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import DataError, RecipeError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def experts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two experts of three epochs."""
    folder = tmp_path_factory.mktemp("experts") / "experts"
    assert build_experts(folder) == 2
    return folder


def test_trajectories_learn_and_differ(tmp_path: Path) -> None:
    """Weights of every epoch are kept; the last ones fit the training images better."""
    build_experts(tmp_path / "e", dataclasses.replace(EXPERTS, count=2, epochs=30))
    made = Experts(tmp_path / "e", CPU, {})
    assert (len(made), made.epochs) == (2, 30)
    part = TrainingPart.of(real_dataset())
    images = part.seen(torch.arange(len(part.labels)), CPU)
    for number in range(2):
        losses = [
            cross_entropy(made.network.logits(made.weights(number, e), images), part.labels)
            for e in (0, 30)
        ]
        assert losses[1] < losses[0]
    assert not torch.equal(made.weights(0, 0), made.weights(1, 0))


def test_one_epoch_is_gradient_descent(experts: Path) -> None:
    """27 images are one batch: the first epoch is one plain step at rate 0.01."""
    made = Experts(experts, CPU, {})
    step = made.weights(0, 1) - made.weights(0, 0)
    assert 0 < float(step.norm()) < 0.1
    # The gradient of cross-entropy with respect to the biases of the classifier sums to zero.
    assert float(step[-3:].sum().abs()) < 1e-4 < float(step[-3:].abs().sum())


def test_an_interrupted_expert_leaves_no_file(tmp_path: Path) -> None:
    """Ctrl-C in the middle of the second keeps the first and nothing of the second."""

    def interrupt(progress: object) -> None:
        if (tmp_path / "experts" / "network-000.pt").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_experts(real_dataset(), tmp_path / "experts", EXPERTS, CPU, interrupt, lambda *_: None)
    names = {path.name for path in (tmp_path / "experts").iterdir()}
    assert names == {"experts.json", "network-000.pt"}
    assert build_experts(tmp_path / "experts") == 1


def test_bf16_takes_half_the_room(tmp_path: Path) -> None:
    """And its weights are those of fp32, rounded."""
    sizes = {}
    for dtype in ("fp32", "bf16"):
        folder = tmp_path / dtype
        build_experts(folder, dataclasses.replace(EXPERTS, dtype=dtype, network_width=32))
        sizes[dtype] = network_files.network_file(folder, 0).stat().st_size
    assert 0.45 < sizes["bf16"] / sizes["fp32"] < 0.55
    exact, rounded = (Experts(tmp_path / d, CPU, {}).weights(0, 2) for d in ("fp32", "bf16"))
    assert torch.equal(exact.bfloat16().float(), rounded)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"epochs": 2}, "epochs 3, not 2"), ({"dtype": "bf16"}, "dtype"), ({"seed": 9}, "seed")],
)
def test_a_folder_holds_experts_of_one_making(
    experts: Path, change: dict[str, int], said: str
) -> None:
    """Other settings in the same folder are refused by name."""
    with pytest.raises(DataError, match=said):
        build_experts(experts, dataclasses.replace(EXPERTS, **change))


def test_experts_that_do_not_fit(experts: Path) -> None:
    """Another dataset and another architecture each get their sentence."""
    settings = dataclasses.replace(SETTINGS, experts=str(experts), options={"expert_epochs": 1})
    images, labels = training_data()
    assert TrajectoryMatching(images, labels, settings).student_rate == pytest.approx(0.01)
    with pytest.raises(DataError, match="another dataset or training part"):
        TrajectoryMatching(255 - images, labels, settings)
    with pytest.raises(DataError, match="num classes 3, not 4"):
        TrajectoryMatching(images, labels, dataclasses.replace(settings, num_classes=4))
    with pytest.raises(DataError, match="network width 8, not 16"):
        TrajectoryMatching(images, labels, dataclasses.replace(settings, network_width=16))


def test_folders_without_whole_experts(tmp_path: Path) -> None:
    """A folder without experts names the command that makes them; a broken file its own name."""
    with pytest.raises(DataError, match=r"holds no experts.*ddc experts"):
        Experts(tmp_path, CPU, {})
    build_experts(tmp_path / "e")
    network_files.network_file(tmp_path / "e", 1).write_bytes(b"")
    with pytest.raises(DataError, match=r"network-001\.pt.*damaged"):
        Experts(tmp_path / "e", CPU, {})
    network_files.save_tensors(
        network_files.network_file(tmp_path / "e", 1), {"trajectory": torch.zeros(4, 2)}
    )
    with pytest.raises(DataError, match="does not belong"):
        Experts(tmp_path / "e", CPU, {})


@pytest.mark.parametrize(
    "change", [{"count": 0}, {"epochs": 0}, {"dtype": "fp8"}, {"seed": -1}, {"network_width": 0}]
)
def test_settings_that_make_no_experts(change: dict[str, object]) -> None:
    """Each setting is checked."""
    with pytest.raises(RecipeError):
        dataclasses.replace(ExpertSettings(), **change)

"""Interrupted evaluations: what is kept, that going on changes nothing, and when it is deleted."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ddcodec.evaluation import (
    EvaluationProgress,
    EvaluationSettings,
    LabelledImages,
    Protocol,
    TrainingOptions,
    evaluate_labelled,
    train_network,
)
from ddcodec.evaluation.students.optimisers import OPTIMISERS
from ddcodec.evaluation.students.unfinished import DAYS_KEPT, UnfinishedNetworks
from ddcodec.kept.notices import KeptWarning
from ddcodec.kept.seal import load_sealed, save_sealed
from ddcodec.networks import NETWORKS, Classifier

PIXELS = torch.randint(256, (10, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()
UPDATES = 6
DAY = 24 * 3600
SHORT = Protocol("short", updates=UPDATES, batch_size=4, network_width=8)
MIXED = replace(SHORT, cutmix=0.5, mixup=0.4, label_smoothing=0.1, all_labels=True)
PROTOCOLS = {
    **{name: replace(MIXED, optimiser=name) for name in OPTIMISERS},
    "epochs": replace(SHORT, updates=None, epochs=2),
    "stages": replace(MIXED, optimiser="muon", singly=True, stage_weight=1.0),
}
"""Of six updates each, of five or ten images."""


class KilledError(Exception):
    """Stands for whatever ends a process."""


def _stages(images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    means = images.mean((1, 2, 3))
    return torch.stack([means, -means], dim=1), (F.adaptive_avg_pool2d(images, 16),)


def _labeler(images: Tensor) -> Tensor:
    return _stages(images)[0]


TRAINING = LabelledImages(
    PIXELS, torch.tensor([0, 1] * 5), (0.5,) * 3, (0.25,) * 3,
    labeler=_labeler, renditions=2, stages=_stages,
)  # fmt: skip
PLAIN = replace(TRAINING, labeler=None, stages=None, renditions=1)


def _train(
    folder: Path, protocol: Protocol, stop_at: int | None = None, arch: str = "convnet"
) -> tuple[Classifier, list[tuple[int, int, float | None]]]:
    """Train with a file written after every update, and return what was shown, too."""
    shown: list[tuple[int, int, float | None]] = []
    training = PLAIN if protocol.epochs else TRAINING
    kept = UnfinishedNetworks(folder, every_seconds=0)

    def show(done: int, updates: int, loss: float | None) -> None:
        shown.append((done, updates, loss))
        if stop_at is not None and done >= stop_at and loss is not None:
            raise KilledError

    options = TrainingOptions(on_progress=show, unfinished=kept)
    return train_network(training, 2, protocol, 3, arch, options), shown


def _same(first: Classifier, second: Classifier) -> bool:
    values = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in values)


@pytest.fixture(autouse=True)
def _every_update_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddcodec.evaluation.students.train.PROGRESS_EVERY", 1)


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("stop_at", [2, 5])
def test_going_on_changes_nothing(tmp_path: Path, name: str, stop_at: int) -> None:
    """By every optimiser, with and without mixing and maps, weights are those of one go."""
    whole = train_network(PLAIN if name == "epochs" else TRAINING, 2, PROTOCOLS[name], 3)
    with pytest.raises(KilledError):
        _train(tmp_path, PROTOCOLS[name], stop_at)
    resumed, shown = _train(tmp_path, PROTOCOLS[name])
    # The update at which it was stopped was shown but no longer written.
    assert shown[0] == (stop_at - 1, UPDATES, None) and shown[-1][0] == UPDATES
    assert _same(resumed, whole) and not resumed.training


@pytest.mark.parametrize("arch", NETWORKS)
def test_every_network_goes_on(tmp_path: Path, arch: str) -> None:
    """Dropout's random numbers and the averages of norms are kept, too."""
    whole = train_network(TRAINING, 2, SHORT, 3, arch)
    with pytest.raises(KilledError):
        _train(tmp_path, SHORT, 4, arch)
    assert _same(_train(tmp_path, SHORT, arch=arch)[0], whole)


def test_as_many_threads_go_on(tmp_path: Path) -> None:
    """Other threads would round otherwise: their number is that of the beginning."""
    before = torch.get_num_threads()
    with pytest.raises(KilledError):
        _train(tmp_path, SHORT, 4)
    try:
        torch.set_num_threads(before + 1)
        _train(tmp_path, SHORT)
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(before)


def test_nothing_is_written_before_it_is_due(tmp_path: Path) -> None:
    """A training shorter than the interval leaves no file and no folder."""
    kept = UnfinishedNetworks(tmp_path / "unfinished", every_seconds=3600)
    train_network(TRAINING, 2, SHORT, 3, options=TrainingOptions(unfinished=kept))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_file_is_as_none(tmp_path: Path, damage: bytes | None) -> None:
    """Training begins anew where the file is empty, something else, or cut short."""
    with pytest.raises(KilledError):
        _train(tmp_path, SHORT, 4)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1000] if damage is None else damage)
    network, shown = _train(tmp_path, SHORT)
    assert shown[0] == (0, UPDATES, None)
    assert _same(network, train_network(TRAINING, 2, SHORT, 3))


def test_a_file_runs_no_code(tmp_path: Path) -> None:
    """A pickle that would create a file when it is read is taken for a damaged one."""
    with pytest.raises(KilledError):
        _train(tmp_path, SHORT, 4)
    (path,) = tmp_path.iterdir()
    torch.save({"state": _Touch(tmp_path / "touched"), "seconds": 0.0}, path)
    assert _train(tmp_path, SHORT)[1][0] == (0, UPDATES, None)
    assert not (tmp_path / "touched").exists()


class _Touch:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


def test_a_folder_that_cannot_be_made_is_no_reason_to_stop(tmp_path: Path) -> None:
    """Where a file stands in the way of the folder, nothing is kept and all is trained."""
    (tmp_path / "file").touch()
    network, _ = _train(tmp_path / "file" / "folder", SHORT)
    assert _same(network, train_network(TRAINING, 2, SHORT, 3))


def test_a_network_is_known_by_all_it_depends_on(tmp_path: Path) -> None:
    """Other images, labels, labeler, normalisation, protocol, seed or architecture: other files."""
    soft = torch.full((10, 2), 0.5)
    different = [
        replace(TRAINING, images=255 - PIXELS),
        replace(TRAINING, labels=1 - TRAINING.labels),
        replace(TRAINING, mean=(0.4,) * 3),
        replace(TRAINING, std=(0.2,) * 3),
        replace(TRAINING, renditions=1),
        replace(TRAINING, stages=None),
        replace(TRAINING, labeler=lambda images: 2 * _labeler(images)),
        replace(TRAINING, labeler=None),
        replace(TRAINING, labeler=None, soft_labels=soft),
    ]
    ways = [(training, 2, SHORT, 3, "convnet") for training in (TRAINING, *different)]
    ways += [
        (TRAINING, 3, SHORT, 3, "convnet"),
        (TRAINING, 2, MIXED, 3, "convnet"),
        (TRAINING, 2, SHORT, 4, "convnet"),
        (TRAINING, 2, SHORT, 3, "vgg11"),
    ]
    kept = UnfinishedNetworks(tmp_path, every_seconds=0)
    for way in ways:
        kept.network(*way).save({})
    assert len(list(tmp_path.iterdir())) == len(ways)
    kept.network(*ways[0]).save({})
    assert len(list(tmp_path.iterdir())) == len(ways), "the same network has the same file"


def test_trained_networks_are_kept_until_all_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first network is not trained again when the second was interrupted; time adds up."""
    at: list[tuple[int, int]] = []
    stops = [KilledError()]

    def show(progress: EvaluationProgress) -> None:
        if progress.accuracy is not None:
            return
        at.append((progress.network, progress.update))
        if at[-1] == (1, 4) and progress.loss is not None and stops:
            time.sleep(0.01)
            raise stops.pop()

    test = PLAIN
    alone = evaluate_labelled(TRAINING, test, EvaluationSettings(SHORT, (3, 4), 2))
    settings = EvaluationSettings(SHORT, (3, 4), 2, on_progress=show)
    with pytest.raises(KilledError):
        kept = UnfinishedNetworks(tmp_path, every_seconds=0)
        evaluate_labelled(TRAINING, test, replace(settings, unfinished=kept))
    at.clear()
    kept = UnfinishedNetworks(tmp_path, every_seconds=0)
    # This process takes no time, so that all there is comes from the one before.
    monkeypatch.setattr(time, "perf_counter", lambda: 7.0)
    report = evaluate_labelled(TRAINING, test, replace(settings, unfinished=kept))
    assert at == [(0, UPDATES), (1, 3), (1, 4), (1, 5), (1, 6)]
    assert report.accuracies == alone.accuracies
    assert kept.seconds_before > 0
    assert report.seconds == pytest.approx(kept.seconds_before)
    kept.forget()
    assert list(tmp_path.iterdir()) == []


def test_others_are_left_alone_for_two_weeks(tmp_path: Path) -> None:
    """Opening the folder deletes files that are older, and nothing else."""
    kept = UnfinishedNetworks(tmp_path, every_seconds=0)
    ages = {"old.pt": DAYS_KEPT + 1, "young.pt": DAYS_KEPT - 1, "notes": 100, "new.pt": 0}
    _write_aged(tmp_path, ages)
    kept.forget()
    assert len(list(tmp_path.iterdir())) == 4
    UnfinishedNetworks(tmp_path, every_seconds=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.pt", "notes", "young.pt"]


@pytest.mark.parametrize("days_off", [-400, 400])
def test_a_clock_that_is_wrong_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days_off: int
) -> None:
    """A year ahead or behind, what was written last is as young as before."""
    _write_aged(tmp_path, {"young.pt": 3, "new.pt": 0})
    wrong = time.time() + days_off * DAY
    monkeypatch.setattr(time, "time", lambda: wrong)
    UnfinishedNetworks(tmp_path, every_seconds=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.pt", "young.pt"]


def _write_aged(folder: Path, days: dict[str, int]) -> None:
    now = time.time()
    for name, age in days.items():
        (folder / name).touch()
        os.utime(folder / name, (now - age * DAY, now - age * DAY))


@pytest.mark.parametrize(
    "changes",
    [
        {"threads": 10**6},
        {"done": UPDATES + 1},
        {"done": -1},
        {"pending": torch.tensor([10**6])},
        {"trained": []},
        {"optimisers": []},
        {"generator": torch.zeros(3, dtype=torch.uint8)},
    ],
)
def test_a_made_up_state_is_as_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    """With a checksum of its own it is refused whole: the network is that of one go."""
    with pytest.raises(KilledError):
        _train(tmp_path, SHORT, 4)
    (path,) = tmp_path.iterdir()
    kept = load_sealed(path)
    save_sealed({**kept, "state": {**kept["state"], **changes}}, path)
    with pytest.warns(KeptWarning, match="is damaged; the network is trained from the beginning"):
        network, shown = _train(tmp_path, SHORT)
    assert shown[0] == (0, UPDATES, None)
    assert _same(network, train_network(TRAINING, 2, SHORT, 3))


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    """A weight that has changed on disk is not gone on with."""
    with pytest.raises(KilledError):
        _train(tmp_path, SHORT, 4)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.warns(KeptWarning, match="is damaged"):
        assert _train(tmp_path, SHORT)[1][0] == (0, UPDATES, None)

"""Training networks on a training set and testing them."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from ddcodec import evaluation, networks
from ddcodec.errors import DataError, RecipeError
from ddcodec.evaluation import (
    AccuracyReport,
    EvaluationProgress,
    EvaluationSettings,
    LabelledImages,
    Protocol,
)
from ddcodec.evaluation.students import gradients
from ddcodec.evaluation.students.training_run import BatchOrder
from ddcodec.networks import precision

NORMALISATION = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
TINY = Protocol("tiny", updates=40, batch_size=16, network_width=16, networks=2)


def separable(
    per_class: int, seed: int, shape: tuple[int, int, int] = (3, 16, 16)
) -> tuple[np.ndarray, np.ndarray]:
    """Make noise images whose class is the half, upper or lower or neither, with more contrast."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), per_class)
    images = rng.normal(128, 8, (len(labels), *shape))
    half = shape[1] // 2
    images[labels == 0, :, :half] += rng.normal(0, 60, (per_class, shape[0], half, shape[2]))
    below = (per_class, shape[0], shape[1] - half, shape[2])
    images[labels == 1, :, half:] += rng.normal(0, 60, below)
    return images.clip(0, 255).astype(np.uint8), labels


def test_a_separable_set_is_learned_and_the_seed_decides_everything() -> None:
    """Few updates learn a trivial set beyond 90 %, and running again gives the same figures."""
    sets = (*separable(20, 0), *separable(20, 1))
    first = evaluation.evaluate(*sets, NORMALISATION, TINY)
    assert first.mean > 90
    assert first.seeds == (0, 1)
    assert first.protocol == "tiny"
    assert (first.updates, first.num_images, first.label_mode) == (40, 60, "hard")
    again = evaluation.evaluate(*sets, NORMALISATION, TINY)
    assert again.accuracies == first.accuracies


def test_weights_are_a_function_of_the_seed() -> None:
    """Equal seeds give equal weights after training, others do not."""
    images, labels = separable(8, 0)
    training = LabelledImages(torch.from_numpy(images), torch.from_numpy(labels), *NORMALISATION)
    protocol = dataclasses.replace(TINY, updates=3)
    a, b, c = (evaluation.train_network(training, 3, protocol, seed) for seed in (7, 7, 8))
    assert torch.equal(a.classifier.weight, b.classifier.weight)
    assert not torch.equal(a.classifier.weight, c.classifier.weight)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 14)])
def test_grey_and_odd_sizes_and_missing_classes(shape: tuple[int, int, int]) -> None:
    """A batch larger than the set, a class without images and odd sizes all train."""
    images, labels = separable(2, 0, shape)
    kept = labels != 1
    normalisation = ((0.5,) * shape[0], (0.25,) * shape[0])
    protocol = Protocol("epochs", epochs=2, batch_size=256, network_width=8)
    report = evaluation.evaluate(
        images[kept],
        labels[kept].astype(np.uint32),
        images,
        labels,
        normalisation,
        protocol,
        seeds=[3],
    )
    assert report.updates == 2
    assert report.epochs == 2
    assert 0 <= report.accuracies[0] <= 100


def test_an_epoch_sees_every_image_once_and_ends_with_a_smaller_batch() -> None:
    """Epochs partition the set; a number of updates takes full batches only."""
    generator = torch.Generator().manual_seed(0)
    order = BatchOrder(10, Protocol("e", epochs=2, batch_size=4), generator)
    epochs = [order.next_rows() for _ in range(3)]
    assert [len(rows) for rows in epochs] == [4, 4, 2]
    assert sorted(torch.cat(epochs).tolist()) == list(range(10))
    assert len(order.next_rows()) == 4, "the second epoch begins with a whole batch"
    order = BatchOrder(10, Protocol("u", updates=5, batch_size=4), generator)
    updates = [order.next_rows() for _ in range(5)]
    assert [len(rows) for rows in updates] == [4] * 5
    assert torch.cat(updates).bincount().tolist() == [2] * 10


@pytest.mark.parametrize("arch", ["vit", "resnet18-batch"])
def test_dropout_and_batch_norm_train_repeatably(arch: str) -> None:
    """What draws numbers or looks at batches is a function of the seed, too."""
    images, labels = (torch.from_numpy(part) for part in separable(4, 0))
    training = LabelledImages(images, labels, *NORMALISATION)
    protocol = dataclasses.replace(TINY, updates=2, network_width=8)
    state = torch.random.get_rng_state()
    a, b, c = (evaluation.train_network(training, 3, protocol, s, arch) for s in (7, 7, 8))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(a.classifier.weight, b.classifier.weight)
    assert not torch.equal(a.classifier.weight, c.classifier.weight)


def test_the_learning_rate_drops_at_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first half of the updates runs at the full rate, the second at a tenth."""
    rates = []
    original = torch.optim.SGD.step

    def step(self: torch.optim.SGD) -> None:
        rates.append(self.param_groups[0]["lr"])
        original(self)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    images, labels = (torch.from_numpy(part) for part in separable(2, 0))
    training = LabelledImages(images, labels, *NORMALISATION)
    evaluation.train_network(training, 3, dataclasses.replace(TINY, updates=4), 0)
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.001])


def test_progress_reaches_the_end_of_every_network() -> None:
    """Each network is reported before its first update, which may be long, to its accuracy."""
    seen: list[EvaluationProgress] = []
    images, labels = separable(2, 0)
    protocol = dataclasses.replace(TINY, updates=11)
    report = evaluation.evaluate(
        images, labels, images, labels, NORMALISATION, protocol, on_progress=seen.append
    )
    tested = [p for p in seen if p.accuracy is not None]
    assert [p.accuracy for p in tested] == list(report.accuracies)
    assert [(p.network, p.update) for p in tested] == [(0, 11), (1, 11)]
    seen = [p for p in seen if p.accuracy is None]
    assert [(p.network, p.update) for p in seen] == [
        (network, update) for network in (0, 1) for update in (0, 10, 11)
    ]
    assert all(p.updates == 11 and p.networks == 2 for p in seen)
    assert [p.loss is None for p in seen] == [p.update == 0 for p in seen]
    assert all(p.loss is None or np.isfinite(p.loss) for p in seen)


def test_progress_names_the_labels() -> None:
    """What a network is trained on is part of its progress, and of its accuracy's."""
    seen: list[EvaluationProgress] = []
    images, labels = (torch.from_numpy(part) for part in separable(2, 0))
    soft = torch.nn.functional.one_hot(labels, 3).float()
    training = LabelledImages(images, labels, *NORMALISATION, soft_labels=soft)
    protocol = dataclasses.replace(TINY, updates=1, all_labels=True)
    settings = EvaluationSettings(protocol, (0,), 3, on_progress=seen.append)
    evaluation.judge(training, training, settings)
    assert [p.label_mode for p in seen] == ["hard"] * 3 + ["soft"] * 3
    assert [p.accuracy is None for p in seen] == [True, True, False] * 2


def test_accuracy_by_hand() -> None:
    """A network that always answers class 1 is right where the label is 1."""
    network = networks.build("convnet", (3, 8, 8), 3, seed=0, network_width=4).eval()
    torch.nn.init.zeros_(network.classifier.weight)
    network.classifier.bias.data = torch.tensor([0.0, 1.0, 0.0])
    test = LabelledImages(
        torch.zeros(70, 3, 8, 8, dtype=torch.uint8),
        torch.tensor([1] * 7 + [0] * 62 + [1]),
        *NORMALISATION,
    )
    assert evaluation.accuracy(network, test) == pytest.approx(100 * 8 / 70)


def test_a_failed_compilation_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the compiler breaks, the uncompiled loss goes on, now and from then on."""
    calls = []

    def broken(*_: object) -> None:
        calls.append(1)
        raise RuntimeError("no Python.h")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: broken)
    images, labels = (torch.from_numpy(part) for part in separable(2, 0))
    training = LabelledImages(images, labels, *NORMALISATION)
    protocol = dataclasses.replace(TINY, updates=3)
    options = evaluation.TrainingOptions(compiled=True)
    fallen = evaluation.train_network(training, 3, protocol, 0, options=options)
    options = evaluation.TrainingOptions(compiled=False)
    plain = evaluation.train_network(training, 3, protocol, 0, options=options)
    assert len(calls) == 1
    assert torch.equal(fallen.classifier.weight, plain.classifier.weight)


@pytest.mark.parametrize("bad", ["negative", "too large", "too few", "soft", "none", "float"])
def test_unusable_sets_are_refused(bad: str) -> None:
    """Labels out of range, missing or soft, and images that are no pixels, are refused."""
    images, labels = separable(2, 0)
    training: dict[str, tuple[np.ndarray, np.ndarray]] = {
        "negative": (images, labels - 1),
        "too large": (images, labels + 1),
        "too few": (images, labels[1:]),
        "soft": (images, np.full((len(labels), 3), 1 / 3)),
        "none": (images[:0], labels[:0]),
        "float": (images / 255, labels),
    }
    with pytest.raises(DataError):
        evaluation.evaluate(
            *training[bad], images, labels, NORMALISATION, TINY, seeds=[0], num_classes=3
        )


def test_unknown_protocols_and_no_seeds_are_refused() -> None:
    """The names of protocols are known, and at least one network is trained."""
    images, labels = separable(1, 0)
    sets = (images, labels, images, labels, NORMALISATION)
    with pytest.raises(RecipeError, match="'slow'"):
        evaluation.evaluate(*sets, "slow")
    with pytest.raises(RecipeError):
        evaluation.evaluate(*sets, TINY, seeds=[])


def test_report_goes_to_json_with_mean_and_std() -> None:
    """Mean and population deviation stand beside the accuracies, and JSON keeps all of it."""
    report = AccuracyReport("quick", "convnet", (0, 1), (50.0, 54.0), "hard", 9, 1.5, 10, 2.0)
    assert (report.mean, report.std) == (52.0, 2.0)
    values = json.loads(json.dumps(report.to_json()))
    assert values["accuracies"] == [50.0, 54.0]
    assert values["std"] == 2.0
    assert set(values) == {f.name for f in dataclasses.fields(report)} | {"mean", "std"}


@pytest.mark.parametrize("arch", [*networks.NETWORKS, "convnet-batch", "resnet18-batch"])
def test_parts_of_a_batch_add_up(arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients and loss do not depend on how many images are looked at together."""
    torch.manual_seed(0)
    images, labels = torch.randn(9, 3, 32, 32), torch.arange(9) % 3
    results = []
    for count in (4, 9):
        monkeypatch.setattr(precision, "micro_batch", lambda _, count=count: count)
        network = networks.build(arch, (3, 32, 32), 3, seed=0, network_width=8)
        for module in network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        loss = gradients.add_gradients(gradients.loss_float32, network, images, labels)
        found = [parameter.grad for parameter in network.parameters()]
        assert all(gradient is not None for gradient in found)
        results.append([loss, *found])
    assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-5) for a, b in zip(*results, strict=True))

"""Train one network per seed and test each once."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ddcodec.errors import RecipeError
from ddcodec.evaluation.protocols import PROTOCOLS, Protocol
from ddcodec.evaluation.report import AccuracyReport, Judgement
from ddcodec.evaluation.students.gradients import ShowUpdates, TrainingOptions
from ddcodec.evaluation.students.held_out import TestedOn
from ddcodec.evaluation.students.labelled_images import LabelledImages
from ddcodec.evaluation.students.train import accuracy, train_network
from ddcodec.evaluation.students.unfinished import UnfinishedNetworks
from ddcodec.ranks import ALONE, Ranks

BOTH, HARD, ALL = "both", "hard", "all"
COLUMNS = (BOTH, HARD, ALL)
"""Which labels to train with: a network for hard labels, one for all there are, or both."""

_TEST_CHUNK = 125


@dataclass(frozen=True)
class EvaluationProgress:
    """Where an evaluation stands.

    Attributes:
        network: Networks trained before this one.
        networks: Networks in all.
        update: Updates of this network done.
        updates: Its updates in all.
        loss: Its last training loss, None before this process's first update: compiling takes a
            while. With updates done, the network was kept from an interrupted evaluation.
        label_mode: What it is trained on: "hard", "soft" or "labeler".
        accuracy: In %, once it is tested, at the last of its updates.
    """

    network: int
    networks: int
    update: int
    updates: int
    loss: float | None
    label_mode: str = "hard"
    accuracy: float | None = None


@dataclass(frozen=True)
class EvaluationSettings:
    """How a training set is evaluated.

    Attributes:
        protocol: The recipe.
        seeds: One per network.
        num_classes: Classes of the dataset.
        arch: A name that `ddcodec.networks.parse_arch` knows.
        device: Where to train and test.
        on_progress: Called now and then.
        unfinished: Where networks are kept while they are trained, or None.
        ranks: The processes that train a share of the networks each.
    """

    protocol: Protocol
    seeds: tuple[int, ...]
    num_classes: int
    arch: str = "convnet"
    device: str = "cpu"
    on_progress: Callable[[EvaluationProgress], None] | None = None
    unfinished: UnfinishedNetworks | None = None
    ranks: Ranks = ALONE


def find_protocol(protocol: str | Protocol) -> Protocol:
    """Return the protocol of a name.

    Raises:
        RecipeError: There is none.
    """
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise RecipeError(f"Unknown protocol '{protocol}'; known are: {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[protocol]


def evaluate_labelled(
    training: LabelledImages, test: TestedOn, settings: EvaluationSettings
) -> AccuracyReport:
    """Train networks with the richest labels the protocol uses, and test each once.

    Raises:
        DataError: Images or labels are unusable.
        RecipeError: The architecture is unknown or does not fit the images, or there are no seeds.
        RankLost: Another process has ended.
    """
    seeds, protocol = settings.seeds, settings.protocol
    if not seeds:
        raise RecipeError("An evaluation needs at least one seed.")
    training.check(settings.num_classes)
    test.check(settings.num_classes)
    started, before = time.perf_counter(), _seconds_before(settings)
    label_mode = training.label_mode if protocol.all_labels else HARD
    count = training.num_images
    updates = protocol.total_updates(count)
    accuracies = [0.0] * len(seeds)
    for index in settings.ranks.share(range(len(seeds))):
        on_progress = _report_to(settings.on_progress, index, len(seeds), label_mode)
        options = TrainingOptions(
            settings.device, on_progress=on_progress, unfinished=settings.unfinished
        )
        network = train_network(
            training, settings.num_classes, protocol, seeds[index], settings.arch, options
        )
        accuracies[index] = accuracy(network, test)
        if settings.on_progress is not None:
            tested = EvaluationProgress(
                index, len(seeds), updates, updates, None, label_mode, accuracies[index]
            )
            settings.on_progress(tested)
    return AccuracyReport(
        protocol=protocol.name,
        arch=settings.arch,
        seeds=seeds,
        accuracies=tuple(settings.ranks.summed(accuracies)),
        label_mode=label_mode,
        updates=updates,
        epochs=protocol.total_epochs(count),
        num_images=count,
        renditions=training.renditions,
        seconds=time.perf_counter() - started + _seconds_before(settings) - before,
    )


def judge(
    training: LabelledImages,
    test: TestedOn,
    settings: EvaluationSettings,
    columns: str = BOTH,
) -> Judgement:
    """Evaluate with hard labels, and with all labels where there are more and the protocol asks.

    Args:
        training: The training set.
        test: The test set.
        settings: How to train.
        columns: One of `COLUMNS`, to leave out the other.

    Raises:
        DataError: Images or labels are unusable.
        RecipeError: The architecture is unknown or does not fit the images, there are no seeds, or
            only all labels are asked for where there are none but hard ones.
    """
    has_all = training.label_mode != HARD and settings.protocol.all_labels
    if columns == ALL and not has_all:
        what = f"Protocol '{settings.protocol.name}' trains with"
        if settings.protocol.all_labels:
            what = "The training set has"
        raise RecipeError(f"{what} hard labels only; leave --columns out.")
    hard = all_labels = None
    if columns != ALL:
        hard = evaluate_labelled(training.with_hard_labels(), test, settings)
    if columns != HARD and has_all:
        all_labels = evaluate_labelled(training, test, settings)
    return Judgement(hard, all_labels)


@torch.no_grad()
def labeler_accuracy(training: LabelledImages, test: TestedOn) -> float | None:
    """Return the percentage of test images that the labeler itself gets right; None without one.

    It stands beside the accuracy of students: a labeler that is better could have been sent alone.
    """
    if training.labeler is None:
        return None
    correct = 0
    for batch in test.batches(_TEST_CHUNK):
        seen = batch.normalised(torch.device("cpu"))
        correct += int((training.labeler(seen).argmax(dim=1) == batch.labels).sum())
    return 100.0 * correct / len(test.labels)


def _seconds_before(settings: EvaluationSettings) -> float:
    return 0.0 if settings.unfinished is None else settings.unfinished.seconds_before


def _report_to(
    on_progress: Callable[[EvaluationProgress], None] | None,
    network: int,
    networks: int,
    label_mode: str,
) -> ShowUpdates | None:
    if on_progress is None:
        return None
    report = on_progress

    def one_network(update: int, updates: int, loss: float | None) -> None:
        report(EvaluationProgress(network, networks, update, updates, loss, label_mode))

    return one_network

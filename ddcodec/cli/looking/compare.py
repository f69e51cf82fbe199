"""`ddc compare`: several training sets side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddcodec.budget import bits_per_class
from ddcodec.cli.shared.accuracies import accuracy_text
from ddcodec.cli.shared.console import ProgressReport, print_table, waiting
from ddcodec.cli.shared.judging_options import (
    PROTOCOLS,
    WHERE_TEST_IMAGES_ARE,
    first_seed_option,
    named_option,
    networks_to_train,
    protocol_option_option,
    repeats_option,
)
from ddcodec.cli.shared.loading import cache_limit_option, load, say_if_numbered, size_option
from ddcodec.cli.shared.options import (
    PATH,
    check_device,
    device_option,
    json_option,
    limit_options,
)
from ddcodec.cli.shared.training_progress import show_on, unfinished_networks
from ddcodec.cli.shared.training_sets import KnownSet, read_training_set
from ddcodec.errors import DataError
from ddcodec.format.limits import DecodeLimits

if TYPE_CHECKING:
    from ddcodec.datasets import Dataset
    from ddcodec.evaluation import Judgement, Protocol


@dataclass(frozen=True)
class Trial:
    """What every training set is judged by.

    Attributes:
        real: the dataset whose test images are used.
        protocol: how networks are trained.
        seeds: one for each network.
        device: where.
    """

    real: Dataset
    protocol: Protocol
    seeds: range
    device: str


@click.command("compare")
@click.argument("sets", metavar="A B...", nargs=-1, required=True, type=PATH)
@click.option(
    "--data", metavar="DATASET|PATH", show_default="none, and no accuracy",
    help=WHERE_TEST_IMAGES_ARE,
)  # fmt: skip
@named_option
@size_option
@cache_limit_option
@click.option(
    "--protocol", type=click.Choice(PROTOCOLS), default="quick",
    help="How networks are trained for the accuracy, as by `ddc eval`.",
)  # fmt: skip
@protocol_option_option
@repeats_option("Networks to train for each set, each from its own seed.")
@first_seed_option
@device_option
@json_option
@limit_options
def compare_command(
    sets: tuple[Path, ...],
    data: str | None,
    dataset: str | None,
    size: str | None,
    protocol: str,
    protocol_options: tuple[tuple[str, float], ...],
    repeats: int | None,
    seed: int,
    device: str,
    as_json: bool,
    limits: DecodeLimits,
) -> None:
    """Table the size of training sets A, B, ..., and what they teach.

    Each is a .ddc, an image folder or archive, an .npz or a .pt of images and labels. With --data
    the same networks are trained on each of them and tested on the test images, under tuned, muon
    and patient with all labels, too, where a set has more than hard ones. The size is that of the
    files as they are. After Ctrl-C or a crash the same command goes on where it was.
    """
    check_device(device)
    if dataset is not None and data is None:
        raise click.UsageError("--dataset names what is at --data; give --data, too.")
    if size is not None and data is None:
        raise click.UsageError("--size is that of the test images; give --data, too.")
    training_sets = [read_training_set(path, limits) for path in sets]
    trial = None
    if data is not None:
        from ddcodec.evaluation.judge import find_protocol

        found = find_protocol(protocol).changed(dict(protocol_options))
        trial = _trial(_load(dataset, data, size), found, repeats, seed, device)
    judgements = None if trial is None else _judge(training_sets, trial, limits)
    if as_json:
        print(json.dumps(_facts(training_sets, trial, judgements), indent=2))
        return
    _print(training_sets, judgements)
    if trial is not None:
        seeds = ", ".join(str(number) for number in trial.seeds)
        print(f"Accuracy on {trial.real.name}, protocol {trial.protocol.name}, seeds {seeds}.")


def _load(dataset: str | None, data: str, size: str | None) -> Dataset:
    with waiting(f"Loading {dataset or data}.") as say:
        real = load(dataset or data, data if dataset else None, size, say)
    if real.test is None:
        raise DataError(f"'{real.name}' has no test images; put some into test/CLASS/.")
    return real


def _trial(
    real: Dataset, protocol: Protocol, repeats: int | None, first: int, device: str
) -> Trial:
    seeds = range(first, first + networks_to_train(protocol, repeats))
    return Trial(real, protocol, seeds, device)


def _judge(
    training_sets: Sequence[KnownSet], trial: Trial, limits: DecodeLimits
) -> list[Judgement]:
    """Train on every set and test; what does not fit the dataset is found before any training."""
    from ddcodec.evaluation import EvaluationSettings, judge
    from ddcodec.evaluation.candidates.read import ReadOptions, read_candidate
    from ddcodec.evaluation.preparation import prepare

    real, protocol = trial.real, trial.protocol
    assert real.test is not None
    options = ReadOptions(limits=limits)
    ready = []
    for known in training_sets:
        candidate = read_candidate(known.path, lambda: real, options)
        say_if_numbered(candidate, known.path, real)
        ready.append(prepare(candidate, real, real.test, protocol))
    judgements = []
    with ProgressReport() as report, unfinished_networks() as unfinished:
        for index, (known, prepared) in enumerate(zip(training_sets, ready, strict=True)):
            phase = f"{known.path.name} ({index + 1}/{len(training_sets)})"
            settings = EvaluationSettings(
                prepared.protocol,
                tuple(trial.seeds),
                real.num_classes,
                device=trial.device,
                on_progress=show_on(report, phase),
                unfinished=unfinished,
            )
            judgements.append(judge(prepared.training, prepared.test, settings))
    return judgements


def _print(training_sets: Sequence[KnownSet], judgements: Sequence[Judgement] | None) -> None:
    columns = ["set", "kind", "bytes", "bits per class", "classes", "images"]
    has_all_labels = any(judgement.all_labels for judgement in judgements or ())
    if judgements is not None:
        columns += ["hard labels, %", "all labels, %"] if has_all_labels else ["accuracy, %"]
    rows = []
    for index, training in enumerate(training_sets):
        bits = bits_per_class(training.num_bytes, training.num_classes)
        row = [str(training.path), training.kind, f"{training.num_bytes:,}", f"{bits:,.1f}"]
        row += [str(training.num_classes), str(training.num_images)]
        if judgements is not None:
            row.append(accuracy_text(judgements[index].hard))
            if has_all_labels:
                row.append(accuracy_text(judgements[index].all_labels))
        rows.append(tuple(row))
    print_table(columns, rows, left=2)


def _facts(
    training_sets: Sequence[KnownSet],
    trial: Trial | None,
    judgements: Sequence[Judgement] | None,
) -> dict[str, Any]:
    sets = []
    for index, training in enumerate(training_sets):
        facts = {
            "set": str(training.path),
            "kind": training.kind,
            "file_bytes": training.num_bytes,
            "bits_per_class": bits_per_class(training.num_bytes, training.num_classes),
            "classes": training.num_classes,
            "images": training.num_images,
        }
        if judgements is not None:
            judged = judgements[index].to_json()
            facts |= {"accuracy": judged["hard"], "all_labels": judged["all_labels"]}
        sets.append(facts)
    dataset = None if trial is None else trial.real.name
    return {"dataset": dataset, "sets": sets}

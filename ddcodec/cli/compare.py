"""`ddc compare`: several training sets side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddcodec.budget import bits_per_class
from ddcodec.cli.eval import PROTOCOLS, networks_to_train
from ddcodec.cli.options import (
    COUNT,
    PATH,
    check_device,
    device_option,
    json_option,
    limit_options,
    whole_number,
)
from ddcodec.cli.training_sets import TrainingImages, labels_of_dataset, read_training_set
from ddcodec.console import ProgressReport, print_table, waiting
from ddcodec.errors import DataError
from ddcodec.format.limits import DecodeLimits

if TYPE_CHECKING:
    from ddcodec.datasets import Dataset
    from ddcodec.evaluation import AccuracyReport, EvaluationProgress


@dataclass(frozen=True)
class Judgement:
    """What every training set is judged by.

    Attributes:
        real: the dataset whose test images are used.
        protocol: how networks are trained.
        seeds: one for each network.
        device: where.
    """

    real: Dataset
    protocol: str
    seeds: range
    device: str


@click.command("compare")
@click.argument("sets", metavar="A B...", nargs=-1, required=True, type=PATH)
@click.option(
    "--data", metavar="DATASET|PATH", show_default="none, and no accuracy",
    help="Where the test images are: glyphs, cifar10, or an image folder or archive.",
)  # fmt: skip
@click.option(
    "--dataset", metavar="NAME", show_default="follows from --data",
    help="Name of the dataset at --data, such as cifar10 for its official archives.",
)  # fmt: skip
@click.option(
    "--protocol", type=click.Choice(PROTOCOLS), default="quick",
    help="How networks are trained for the accuracy, as by `ddc eval`.",
)  # fmt: skip
@click.option(
    "--repeats", type=COUNT, metavar="N", show_default="standard 5, quick 3, glance 1",
    help="Networks to train for each set, each from its own seed.",
)  # fmt: skip
@click.option(
    "--seed", type=whole_number(0, 2**62), default=0, metavar="N",
    help="Seed of the first network; the next ones count up.",
)  # fmt: skip
@device_option
@json_option
@limit_options
def compare_command(
    sets: tuple[Path, ...],
    data: str | None,
    dataset: str | None,
    protocol: str,
    repeats: int | None,
    seed: int,
    device: str,
    as_json: bool,
    limits: DecodeLimits,
) -> None:
    """Table the size of training sets A, B, ..., and what they teach.

    Each is a .ddc, an image folder or archive, an .npz or a .pt of images and labels. With --data
    the same networks are trained on each of them and tested on the test images. The size is that
    of the files as they are.
    """
    check_device(device)
    if dataset is not None and data is None:
        raise click.UsageError("--dataset names what is at --data; give --data, too.")
    training_sets = [read_training_set(path, limits) for path in sets]
    judgement = None
    if data is not None:
        real = _load(dataset, data)
        judgement = Judgement(real, protocol, _seeds(protocol, repeats, seed), device)
    reports = _judge(training_sets, judgement) if judgement is not None else None
    if as_json:
        print(json.dumps(_facts(training_sets, judgement, reports), indent=2))
        return
    _print(training_sets, reports)
    if judgement is not None:
        seeds = ", ".join(str(number) for number in judgement.seeds)
        print(f"Accuracy on {judgement.real.name}, protocol {protocol}, seeds {seeds}.")


def _load(dataset: str | None, data: str) -> Dataset:
    with waiting(f"Loading {dataset or data}."):
        from ddcodec.datasets import load_dataset

        real = load_dataset(dataset or data, data if dataset else None)
    if real.test is None:
        raise DataError(f"'{real.name}' has no test images; put some into test/CLASS/.")
    return real


def _seeds(protocol: str, repeats: int | None, first: int) -> range:
    from ddcodec.evaluation import PROTOCOLS as RECIPES

    return range(first, first + networks_to_train(RECIPES[protocol], repeats))


def _judge(training_sets: Sequence[TrainingImages], judgement: Judgement) -> list[AccuracyReport]:
    """Train on every set and test; what does not fit the dataset is found before any training."""
    import numpy as np

    from ddcodec.datasets import normalisation
    from ddcodec.evaluation import evaluate

    real = judgement.real
    assert real.test is not None
    labels = [labels_of_dataset(training, real) for training in training_sets]
    mean, std = normalisation(real.train.images)
    reports = []
    with ProgressReport() as report:
        for index, training in enumerate(training_sets):
            phase = f"{training.path.name} ({index + 1}/{len(training_sets)})"
            reports.append(
                evaluate(
                    training.images,
                    labels[index],
                    real.test.images,
                    real.test.labels,
                    training.normalisation or (mean.tolist(), np.maximum(std, 1 / 255).tolist()),
                    judgement.protocol,
                    judgement.seeds,
                    num_classes=real.num_classes,
                    device=judgement.device,
                    on_progress=_show_on(report, phase),
                )
            )
    return reports


def _show_on(report: ProgressReport, phase: str) -> Callable[[EvaluationProgress], None]:
    started = time.monotonic()

    def show(progress: EvaluationProgress) -> None:
        done = (progress.network + progress.update / progress.updates) / progress.networks
        left = (time.monotonic() - started) * (1 - done) / max(done, 1e-9)
        details = f"network {progress.network + 1}/{progress.networks}  loss {progress.loss:.4g}"
        report.update(phase, progress.update, progress.updates, details, left)

    return show


def _print(training_sets: Sequence[TrainingImages], reports: list[AccuracyReport] | None) -> None:
    columns = ["set", "kind", "bytes", "bits per class", "classes", "images"]
    columns += [] if reports is None else ["accuracy, %"]
    rows = []
    for index, training in enumerate(training_sets):
        bits = bits_per_class(training.num_bytes, training.num_classes)
        row = [str(training.path), training.kind, f"{training.num_bytes:,}", f"{bits:,.1f}"]
        row += [str(training.num_classes), str(len(training.labels))]
        if reports is not None:
            row.append(f"{reports[index].mean:.2f} ± {reports[index].std:.2f}")
        rows.append(tuple(row))
    print_table(columns, rows, left=2)


def _facts(
    training_sets: Sequence[TrainingImages],
    judgement: Judgement | None,
    reports: list[AccuracyReport] | None,
) -> dict[str, Any]:
    sets = []
    for index, training in enumerate(training_sets):
        facts = {
            "set": str(training.path),
            "kind": training.kind,
            "file_bytes": training.num_bytes,
            "bits_per_class": bits_per_class(training.num_bytes, training.num_classes),
            "classes": training.num_classes,
            "images": len(training.labels),
        }
        if reports is not None:
            facts["accuracy"] = reports[index].to_json()
        sets.append(facts)
    dataset = None if judgement is None else judgement.real.name
    return {"dataset": dataset, "sets": sets}

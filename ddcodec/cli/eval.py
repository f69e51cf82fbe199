"""`ddc eval`: train fresh networks on a file and test them on the real test images."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddcodec.budget import bits_per_class
from ddcodec.cli.options import (
    COUNT,
    check_device,
    device_option,
    file_argument,
    json_option,
    limit_options,
    whole_number,
)
from ddcodec.console import ProgressReport, format_bytes, format_duration, print_facts, waiting
from ddcodec.errors import DataError
from ddcodec.format.limits import DecodeLimits
from ddcodec.inspection import decode_file, file_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ddcodec.codec.decode import DecodedFile
    from ddcodec.datasets import Dataset, ImageSplit
    from ddcodec.evaluation import AccuracyReport, EvaluationProgress

PROTOCOLS = ("quick", "standard", "tuned", "glance")
ARCHITECTURES = ("convnet", "resnet18", "vgg11", "alexnet", "vit")
SPLITS = ("test", "val")

DEFAULT_REPEATS = {"quick": 3, "glance": 1}
"""Networks where that differs from the protocol's own number."""


@click.command("eval")
@file_argument
@click.option(
    "--data", metavar="DATASET|PATH", required=True,
    help="Where the test images are: glyphs, cifar10, or an image folder or archive.",
)  # fmt: skip
@click.option(
    "--dataset", metavar="NAME", show_default="follows from --data",
    help="Name of the dataset at --data, such as cifar10 for its official archives.",
)  # fmt: skip
@click.option(
    "--protocol", type=click.Choice(PROTOCOLS), default="standard",
    help="standard: 1000 epochs; quick: 2000 updates; glance: 500 updates.",
)  # fmt: skip
@click.option(
    "--repeats", type=COUNT, metavar="N", show_default="standard 5, quick 3, glance 1",
    help="Networks to train, each from its own seed.",
)  # fmt: skip
@click.option(
    "--seed", type=whole_number(0, 2**62), default=0, metavar="N",
    help="Seed of the first network; the next ones count up.",
)  # fmt: skip
@click.option(
    "--arch", type=click.Choice(ARCHITECTURES), default="convnet", help="Network to train."
)
@click.option(
    "--split", type=click.Choice(SPLITS), default="test",
    help="What to test on: the test images, once per finished file, or the validation tenth of "
    "the training images, to choose among files.",
)  # fmt: skip
@device_option
@json_option
@limit_options
def eval_command(
    file: Path,
    data: str,
    dataset: str | None,
    split: str,
    as_json: bool,
    limits: DecodeLimits,
    **settings: Any,
) -> None:
    """Train networks on FILE and test each once on real images it has not seen."""
    decoded = decode_file(file, limits)
    check_device(settings["device"])
    from ddcodec.datasets import load_dataset

    with waiting(f"Loading {dataset or data}."):
        real = load_dataset(dataset or data, data if dataset else None)
    labels, test = fit_dataset(decoded, real, split)
    report = _evaluate(decoded, labels, test, settings)
    size = file_bytes(decoded.container)
    if as_json:
        facts = {
            "file": str(file),
            "dataset": real.name,
            "split": split,
            "file_bytes": size,
            "bits_per_class": bits_per_class(size, real.num_classes),
            "bytes_per_class": size / real.num_classes,
        }
        print(json.dumps(facts | report.to_json(), indent=2))
        return
    print_facts(
        _summary(
            file, size, f"{real.name}, {_split_name(split, len(test))}", report, real.num_classes
        )
    )


def fit_dataset(
    decoded: DecodedFile, real: Dataset, split: str
) -> tuple[NDArray[np.int64], ImageSplit]:
    """Return the file's labels as the dataset numbers its classes, and the images to test on.

    Raises:
        DataError: if the file was made of another dataset, or there are no test images.
    """
    header = decoded.header
    if split == "test" and real.test is None:
        raise DataError(
            f"'{real.name}' has no test images; put some into test/CLASS/ beside train/, "
            "or pass --split val."
        )
    of_file = (header.height, header.width, header.channels)
    of_data = (real.height, real.width, real.channels)
    if of_file != of_data:
        raise DataError(
            f"The file holds images of {_shape(of_file)}, '{real.name}' has {_shape(of_data)}; "
            "evaluate on the dataset the file was made of."
        )
    if header.num_classes != real.num_classes:
        raise DataError(
            f"The file holds {header.num_classes} classes, '{real.name}' has "
            f"{real.num_classes}; evaluate on the dataset the file was made of."
        )
    labels = _map_labels(decoded, real)
    if split == "test":
        assert real.test is not None
        return labels, real.test
    from ddcodec.datasets.base import validation_part

    return labels, validation_part(real)


def _map_labels(decoded: DecodedFile, real: Dataset) -> NDArray[np.int64]:
    import numpy as np

    names = decoded.content.class_names
    if names is None or names == real.class_names:
        return decoded.labels
    strange = [name for name in names if name not in real.class_names]
    if strange or len(set(names)) < len(names):
        example = strange[0] if strange else next(n for n in names if names.count(n) > 1)
        reason = "is not a class of" if strange else "names several classes, but not in"
        raise DataError(
            f"The file's class '{example}' {reason} '{real.name}'; evaluate on the dataset the "
            "file was made of."
        )
    order = np.array([real.class_names.index(name) for name in names], dtype=np.int64)
    return order[decoded.labels]


def _shape(sizes: tuple[int, int, int]) -> str:
    return "x".join(str(size) for size in sizes)


def _evaluate(
    decoded: DecodedFile, labels: NDArray[np.int64], test: ImageSplit, settings: dict[str, Any]
) -> AccuracyReport:
    from ddcodec.evaluation import PROTOCOLS as RECIPES
    from ddcodec.evaluation import evaluate

    protocol = settings["protocol"]
    own_repeats = DEFAULT_REPEATS.get(protocol, RECIPES[protocol].networks)
    repeats = settings["repeats"] or own_repeats
    header = decoded.header
    with ProgressReport() as report:
        return evaluate(
            decoded.images,
            labels,
            test.images,
            test.labels,
            ([value / 256 for value in header.mean], [value / 256 for value in header.std]),
            protocol,
            range(settings["seed"], settings["seed"] + repeats),
            arch=settings["arch"],
            num_classes=header.num_classes,
            device=settings["device"],
            on_progress=_show_on(report),
        )


def _show_on(report: ProgressReport) -> Callable[[EvaluationProgress], None]:
    started = time.monotonic()

    def show(progress: EvaluationProgress) -> None:
        done = (progress.network + progress.update / progress.updates) / progress.networks
        elapsed = time.monotonic() - started
        report.update(
            f"network {progress.network + 1}/{progress.networks}",
            progress.update,
            progress.updates,
            f"loss {progress.loss:.4g}",
            elapsed * (1 - done) / max(done, 1e-9),
        )

    return show


def _split_name(split: str, count: int) -> str:
    if split == "test":
        return f"{count} images, read once per network"
    return f"{count} images of the validation part; not the test set"


def _summary(
    file: Path, size: int, tested_on: str, report: AccuracyReport, num_classes: int
) -> list[tuple[str, str]]:
    bytes_per_class = size / num_classes
    return [
        ("file", str(file)),
        ("size", format_bytes(size)),
        ("bits per class", f"{8 * bytes_per_class:,.1f}"),
        ("bytes per class", f"{bytes_per_class:,.1f}"),
        ("training set", f"{report.num_images} images, {report.label_mode} labels"),
        ("tested on", tested_on),
        ("protocol", report.protocol),
        ("network", report.arch),
        ("updates", f"{report.updates} per network, {report.epochs:.4g} epochs"),
        ("seeds", ", ".join(str(seed) for seed in report.seeds)),
        ("accuracies", ", ".join(f"{accuracy:.2f} %" for accuracy in report.accuracies)),
        ("accuracy", f"{report.mean:.2f} ± {report.std:.2f} % (mean ± deviation)"),
        ("time", format_duration(report.seconds)),
    ]

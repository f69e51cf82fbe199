"""`ddc eval`: train fresh networks on a training set and test them on the real test images."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddcodec.cli.shared.accuracies import facts_for_json, print_judgements
from ddcodec.cli.shared.console import ProgressReport, waiting
from ddcodec.cli.shared.group import describe
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
    whole_number,
)
from ddcodec.cli.shared.references import Compared
from ddcodec.cli.shared.training_progress import show_on, unfinished_networks
from ddcodec.errors import DataError
from ddcodec.format.limits import DecodeLimits
from ddcodec.format.student_recipe import MAX_RENDITIONS
from ddcodec.kept.seal import sealed_json
from ddcodec.ranks import Ranks, joined

if TYPE_CHECKING:
    from ddcodec.datasets import Dataset, ImageSplit
    from ddcodec.evaluation import Judgement, Protocol
    from ddcodec.evaluation.candidates.candidate import Candidate, Normalisation

ARCHITECTURES = ("convnet", "resnet18", "vgg11", "alexnet", "vit")
COLUMNS = ("both", "hard", "all")
SPLITS = ("test", "val")
REFERENCES = ("none", "random", "coded", "all")
RANGES = ("unit", "signed", "pixels", "normalised")


def parse_names(text: str) -> tuple[str, ...]:
    """Read the value of --arch; what the names mean is checked when torch is there."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise click.BadParameter(f"'{text}' is no list of different names with commas between.")
    return names


def parse_values(text: str) -> tuple[float, ...]:
    """Read the value of --mean and --std."""
    try:
        return tuple(float(value) for value in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is no list of numbers with commas between.") from error


@click.command("eval")
@click.argument("file", metavar="X", type=PATH)
@click.option(
    "--data", metavar="DATASET|PATH", required=True,
    help=WHERE_TEST_IMAGES_ARE,
)  # fmt: skip
@named_option
@size_option
@cache_limit_option
@click.option(
    "--protocol", type=click.Choice(PROTOCOLS), default="standard",
    help="standard: 1000 epochs, the field's; learned: at the rate that the file has learned, if "
    "any; idc: 1000 epochs with CutMix, as IDC is judged; tuned: 2500 updates "
    "of AdamW with CutMix and all labels; muon: 10000 small updates of Muon, as many views; "
    "patient: 30000 of them, and a labeler's feature maps; quick: standard cut to 2000 updates; "
    "glance: to 500.",
)  # fmt: skip
@protocol_option_option
@click.option(
    "--arch", type=parse_names, default="convnet", metavar="NAME,...",
    help=f"Networks to train, of {', '.join(ARCHITECTURES)}; with depth and norm, such as "
    "convnet-d4-batch or resnet18-batch.",
)  # fmt: skip
@repeats_option("Networks to train of each architecture, each from its own seed.")
@first_seed_option
@click.option(
    "--columns", type=click.Choice(COLUMNS), default="both",
    help="Networks trained with hard labels, with all labels that X has, or one of each for every "
    "seed; only tuned, muon and patient know others than hard ones.",
)  # fmt: skip
@click.option(
    "--references", type=click.Choice(REFERENCES), default="none",
    help="Train on real images likewise, and keep the accuracies: as many random ones, which "
    "doubles the time; coded: also as many as WebP codes in the bytes of X; all: also all of them, "
    "which under standard takes far longer.",
)  # fmt: skip
@click.option(
    "--split", type=click.Choice(SPLITS), default="test",
    help="What to test on: the test images, once per finished file, or the validation tenth of "
    "the training images, to choose among files.",
)  # fmt: skip
@click.option(
    "--labels", type=PATH, metavar="FILE", show_default="those in X",
    help="Labels of an .npz, .npy or .pt that has none.",
)  # fmt: skip
@click.option(
    "--float-range", type=click.Choice(RANGES), show_default="unit",
    help="What float images are: unit is [0, 1], signed [-1, 1], pixels [0, 255], normalised "
    "(pixels / 255 - mean) / std.",
)  # fmt: skip
@click.option(
    "--mean", type=parse_values, metavar="X,...", show_default="of X, else of the training images",
    help="Means of the channels, of pixels in [0, 1], that networks see images with.",
)  # fmt: skip
@click.option(
    "--std", type=parse_values, metavar="X,...", show_default="of X, else of the training images",
    help="Standard deviations likewise.",
)  # fmt: skip
@click.option(
    "--renditions", type=whole_number(1, MAX_RENDITIONS), metavar="N",
    show_default="as the file advises",
    help="Times each image of a .ddc is drawn, with other details each time; networks see one of "
    "them at a time.",
)  # fmt: skip
@device_option
@json_option
@limit_options
def eval_command(
    file: Path,
    data: str,
    dataset: str | None,
    size: str | None,
    split: str,
    as_json: bool,
    limits: DecodeLimits,
    **settings: Any,
) -> None:
    """Train networks on X and test each once on real images it has not seen.

    X is a .ddc, a folder or archive of images such as ddc decode writes, or an .npz, .npy or .pt
    of images and labels. After Ctrl-C or a crash the same command goes on where it was. Under
    torchrun (docs/scaling.md) every process trains a share of the networks.
    """
    with joined(settings["device"], describe) as ranks:
        check_device(settings["device"])
        _evaluate(file, data, dataset, size, split, as_json, limits, ranks, settings)


def _evaluate(
    file: Path,
    data: str,
    dataset: str | None,
    size: str | None,
    split: str,
    as_json: bool,
    limits: DecodeLimits,
    ranks: Ranks,
    settings: dict[str, Any],
) -> None:
    from ddcodec.evaluation.candidates.read import ReadOptions, read_candidate
    from ddcodec.evaluation.judge import find_protocol

    protocol = find_protocol(settings["protocol"]).changed(dict(settings["protocol_options"]))
    options = ReadOptions(
        settings["float_range"], settings["labels"], limits, settings["renditions"]
    )
    # Large pictures in several renditions take minutes.
    with ranks.first_alone(), waiting(f"Reading '{file.name}'.") as say:

        @functools.cache
        def load_real() -> Dataset:
            say(f"Loading {dataset or data}.")
            return load(dataset or data, data if dataset else None, size, say)

        candidate = read_candidate(file, load_real, options)
        real = load_real()
    say_if_numbered(candidate, file, real)
    test = images_to_test_on(real, split)
    judgements = _judge(candidate, real, test, split, protocol, ranks, settings)
    if as_json:
        facts = facts_for_json(file, candidate, real, split, judgements)
        # With a checksum, since `ddc plot`, `ddc report` and `ddc sweep` read it back.
        print(json.dumps(json.loads(sealed_json(facts)), indent=2))
        return
    tested_on = f"{real.name}, {_split_name(split, len(test))}"
    print_judgements(file, candidate, tested_on, judgements, real.num_classes)


def images_to_test_on(real: Dataset, split: str) -> ImageSplit:
    """Return the test images, or the validation part.

    Raises:
        DataError: if there are no test images.
    """
    if split == "val":
        from ddcodec.datasets.parts import validation_part

        return validation_part(real)
    if real.test is None:
        raise DataError(
            f"'{real.name}' has no test images; put some into test/CLASS/ beside train/, "
            "or pass --split val."
        )
    return real.test


def given_normalisation(real: Dataset, settings: dict[str, Any]) -> Normalisation | None:
    """Return --mean and --std, or None where they are left open.

    Raises:
        DataError: if they do not fit the channels.
    """
    mean, std = settings["mean"], settings["std"]
    if (mean is None) != (std is None):
        raise DataError("--mean and --std need each other.")
    if mean is None:
        return None
    if len(mean) != real.channels or len(std) != real.channels or not min(std) > 0:
        raise DataError(
            f"--mean and --std need {real.channels} values each, and deviations above 0."
        )
    return mean, std


def _judge(
    candidate: Candidate,
    real: Dataset,
    test: ImageSplit,
    split: str,
    protocol: Protocol,
    ranks: Ranks,
    settings: dict[str, Any],
) -> list[Judgement]:
    """Judge by one architecture after the other, all of which are checked before the first."""
    from ddcodec import networks
    from ddcodec.evaluation import EvaluationSettings, judge
    from ddcodec.evaluation.judge import labeler_accuracy
    from ddcodec.evaluation.preparation import prepare

    repeats = networks_to_train(protocol, settings["repeats"])
    seeds = tuple(range(settings["seed"], settings["seed"] + repeats))
    ready = prepare(candidate, real, test, protocol, given_normalisation(real, settings))
    shape = (real.channels, real.height, real.width)
    for arch in settings["arch"]:
        networks.build(arch, shape, real.num_classes, seed=0, network_width=protocol.network_width)
    with waiting("Testing the labeler alone."):
        alone = labeler_accuracy(ready.training, ready.test)
    judgements = []
    with ProgressReport() as report, unfinished_networks() as unfinished:
        for arch in settings["arch"]:
            show, device = show_on(report, arch), settings["device"]
            chosen = EvaluationSettings(
                protocol, seeds, real.num_classes, arch, device, show, unfinished, ranks
            )
            # References are kept under the name of the protocol: they follow no file's advice.
            advised = replace(chosen, protocol=ready.protocol)
            judgement = judge(ready.training, ready.test, advised, settings["columns"])
            judgement = replace(judgement, labeler_accuracy=alone)
            if settings["references"] != "none":
                compared = Compared(real, test, split, settings["references"], report)
                labels = ready.training.labels[:: ready.training.renditions]
                judgement = compared.add_to(judgement, labels.numpy(), candidate.size_bytes, chosen)
            judgements.append(judgement)
    return judgements


def _split_name(split: str, count: int) -> str:
    if split == "test":
        return f"{count} images, read once per network"
    return f"{count} images of the validation part; not the test set"

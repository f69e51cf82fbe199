"""`ddc distill`: a dataset becomes one small file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddcodec.cli.options import (
    COUNT,
    PATH,
    Size,
    check_device,
    device_option,
    force_option,
    parse_decoder,
    parse_size,
    whole_number,
)
from ddcodec.console import (
    ProgressReport,
    format_bytes,
    format_duration,
    print_facts,
    waiting,
)

if TYPE_CHECKING:
    from ddcodec.distill.distill import Distilled
    from ddcodec.distill.loop import Progress

LOSSES = ("none", "dm", "gm", "tm", "ncfm")
SHARES = ("class", "groups", "all")
CONTEXTS = ("own", "coarser")
INITS = ("random", "herding", "teacher")
PARAMETERIZATIONS = ("latents", "pixels")


def parse_loss(text: str) -> str:
    """Read the value of --loss; whether a class of the user's exists shows when it is imported."""
    if text in LOSSES or ":" in text:
        return text
    raise click.BadParameter(
        f"'{text}' is not one of {', '.join(LOSSES)}, and not module:Class either."
    )


def parse_loss_option(text: str) -> tuple[str, float]:
    """Read a value of --loss-option; whole numbers stay whole."""
    name, separator, value = text.partition("=")
    try:
        number = float(value)
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is not like student_steps=40.") from error
    if not separator or not name:
        raise click.BadParameter(f"'{text}' is not like student_steps=40.")
    is_whole = value.strip().lstrip("+-").isdecimal()
    return name.strip(), int(value) if is_whole else number


@click.command("distill")
@click.argument("dataset")
@click.option("--data", metavar="PATH", help="Folder or archive that holds the dataset.")
@click.option(
    "--bpc", "budget", type=parse_size, metavar="SIZE", required=True,
    help="Budget per class: 10k and 10kB are 10,000 bytes; also 10KiB, 80kbit.",
)  # fmt: skip
@click.option(
    "-o", "--output", metavar="FILE", type=PATH, show_default="DATASET-SIZE.ddc",
    help="File to write.",
)  # fmt: skip
@force_option
@click.option(
    "--loss", type=parse_loss, default="dm", metavar="NAME|MODULE:CLASS",
    help=f"What images are optimised for: {', '.join(LOSSES)}, or a class of your own; "
    "none codes real images as they are.",
)  # fmt: skip
@click.option(
    "--loss-option", "loss_options", type=parse_loss_option, multiple=True, metavar="NAME=NUMBER",
    show_default="those of the loss", help="A setting of the loss alone; may be repeated.",
)  # fmt: skip
@click.option(
    "--pool", metavar="auto|random|FOLDER", default="auto",
    help="Networks for dm and ncfm: made once and kept in the cache, random ones, or those of "
    "`ddc pool`.",
)  # fmt: skip
@click.option(
    "--experts", metavar="FOLDER", show_default="none",
    help="Trajectories made by `ddc experts`, for tm.",
)  # fmt: skip
@click.option(
    "--init", type=click.Choice(INITS), default="random",
    help="Real images to start from; herding and teacher look through a pool.",
)  # fmt: skip
@click.option(
    "--parameterization", type=click.Choice(PARAMETERIZATIONS), default="latents",
    help="What is optimised: latents under the rate, or plain pixels coded without loss.",
)  # fmt: skip
@click.option(
    "--spc", "images_per_class", type=COUNT, metavar="N", show_default="from the budget",
    help="Synthetic images per class.",
)  # fmt: skip
@click.option(
    "--synthesis", type=parse_decoder, metavar="NAME", show_default="from the budget",
    help="Decoder: wavelet, wavelet-16 (width of its refinement), or a pyramid: v4 or 160,40.",
)  # fmt: skip
@click.option(
    "--share", type=click.Choice(SHARES), show_default="from the budget",
    help="One set of networks per class, per group of classes, or for all.",
)  # fmt: skip
@click.option(
    "--context", type=click.Choice(CONTEXTS), default="coarser",
    help="What latents of a pyramid decoder are predicted from.",
)  # fmt: skip
@click.option(
    "--steps", "joint_steps", type=COUNT, default=300, metavar="N",
    help="Steps of the joint optimisation.",
)  # fmt: skip
@click.option(
    "--fit-steps", type=COUNT, metavar="N", show_default="from the number of images",
    help="Steps of the first fit to real images.",
)  # fmt: skip
@click.option(
    "--seed", type=whole_number(least=0), default=0, metavar="N",
    help="Everything random follows from it.",
)  # fmt: skip
@device_option
@click.option("--names/--no-names", "keep_class_names", default=True, help="Keep the class names.")
def distill_command(
    dataset: str,
    data: str | None,
    budget: Size,
    output: Path | None,
    force: bool,
    **settings: Any,
) -> None:
    """Distill DATASET into a file of at most SIZE bytes per class.

    DATASET is glyphs (embedded), cifar10, or the path of an image folder or archive with
    train/CLASS/IMAGE; with --data it may be any name.
    """
    from ddcodec.export import check_output

    path = output or Path(_default_name(dataset, data, budget))
    check_output(path, force)
    check_device(settings["device"])
    settings["loss_options"] = dict(settings["loss_options"])
    distilled = _distill(dataset, data, {"bytes_per_class": budget.num_bytes, **settings})
    check_output(path, force)
    from ddcodec.codec.encode import write_atomically

    write_atomically(distilled.encoded.data, path)
    print_facts(_summary(distilled, path))
    if distilled.size_bytes < distilled.budget.floor_bytes:
        print(
            "The file stays below 97 % of the budget: even the finest steps need no more; raise "
            "--spc or choose a larger --synthesis to use the rest."
        )


def _distill(dataset: str, data: str | None, settings: dict[str, Any]) -> Distilled:
    from ddcodec.datasets import load_dataset
    from ddcodec.distill.recipe import Recipe

    recipe = Recipe.from_mapping(settings)
    with waiting(f"Loading {dataset}."):
        loaded = load_dataset(dataset, data)
        from ddcodec.distill.distill import distill

    with ProgressReport() as report:
        return distill(loaded, recipe, lambda progress: _show(report, progress))


def _show(report: ProgressReport, progress: Progress) -> None:
    details = []
    if progress.rate_bytes is not None:
        details.append(f"{progress.rate_bytes:,.0f} of {format_bytes(progress.budget_bytes)}")
    if progress.loss is not None:
        details.append(f"loss {progress.loss:.4g}")
    report.update(
        progress.phase, progress.step, progress.steps, "  ".join(details), progress.seconds_left
    )


def _default_name(dataset: str, data: str | None, budget: Size) -> str:
    from ddcodec.datasets import DATASETS
    from ddcodec.datasets.source import source_name, user_path

    name = dataset
    if dataset not in DATASETS and data is None:
        name = source_name(user_path(dataset))
    size = "".join(budget.text.split())
    return re.sub(r"[^\w.-]+", "_", f"{name}-{size}.ddc")


def _summary(distilled: Distilled, path: Path) -> list[tuple[str, str]]:
    from ddcodec.inspection import describe_decoder

    size, budget = distilled.size_bytes, distilled.budget
    allocation = distilled.allocation
    counts = allocation.class_counts
    per_class = f"{counts.min()}"
    if counts.min() != counts.max():
        per_class = f"{counts.min()} to {counts.max()}"
    difference = size - distilled.estimated_bytes
    bytes_per_class = size / budget.num_classes
    return [
        ("file", str(path)),
        ("size", format_bytes(size)),
        ("budget", f"{format_bytes(budget.budget_bytes)}, {size / budget.budget_bytes:.2%} used"),
        ("bits per class", f"{8 * bytes_per_class:,.1f}"),
        ("bytes per class", f"{bytes_per_class:,.1f}"),
        (
            "estimated",
            f"{distilled.estimated_bytes:,.1f} bytes, the file has {difference:+,.1f} bytes "
            f"({difference / size:+.2%})",
        ),
        ("images", f"{counts.sum()}, {per_class} per class"),
        (
            "decoder",
            describe_decoder(allocation.synthesis.synthesis_id, allocation.synthesis.widths),
        ),
        ("network sets", f"{allocation.num_sets}"),
        ("time", format_duration(distilled.seconds)),
    ]

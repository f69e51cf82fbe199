"""`ddc distill`: a dataset becomes one small file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddcodec.cli.making.recipes import Request, read_request
from ddcodec.cli.making.summary import below_floor, run_summary
from ddcodec.cli.making.watching import Watch
from ddcodec.cli.shared.console import print_facts, waiting
from ddcodec.cli.shared.label_options import label_options
from ddcodec.cli.shared.loading import load, size_option
from ddcodec.cli.shared.options import (
    COUNT,
    PATH,
    Size,
    check_device,
    device_option,
    force_option,
    parse_positive,
    parse_size,
    parse_time,
)
from ddcodec.cli.shared.run_options import (
    PARAMETERIZATIONS,
    default_file_name,
    names_option,
    resume_option,
    seed_option,
    share_option,
    synthesis_option,
)
from ddcodec.errors import OutputError

if TYPE_CHECKING:
    from ddcodec.distill.recipe.recipe import Recipe
    from ddcodec.distill.record import DatasetOrigin
    from ddcodec.distill.running.distilled import Distilled

LOSSES = ("none", "dm", "gm", "tm", "ncfm")
CONTEXTS = ("own", "coarser")
QUANTIZERS = ("descent", "soft", "ste")
INITS = ("random", "herding", "teacher")


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
@click.argument("dataset", required=False)
@click.option(
    "--recipe", metavar="FILE|PRESET", show_default="none",
    help="Take what is not given here from a recipe: a .toml, the .ddc.json of --record, or a "
    "preset that `ddc recipes` lists.",
)  # fmt: skip
@click.option("--data", metavar="PATH", help="Folder, archive or .npz that holds the dataset.")
@size_option
@click.option(
    "--bpc", "budget", type=parse_size, metavar="SIZE", show_default="that of the recipe",
    help="Budget per class: 10k and 10kB are 10,000 bytes; also 10KiB, 80kbit.",
)  # fmt: skip
@click.option(
    "-o", "--output", metavar="FILE", type=PATH, show_default="DATASET-SIZE.ddc",
    help="File to write.",
)  # fmt: skip
@force_option
@click.option(
    "--record", is_flag=True,
    help="Write FILE.json, too: every setting, versions, digests; --recipe repeats the run.",
)  # fmt: skip
@click.option(
    "--loss", type=parse_loss, default="dm", metavar="NAME|MODULE:CLASS",
    show_default="dm, or none with a labeler",
    help=f"What images are optimised for: {', '.join(LOSSES)}, or a class of your own; "
    "none codes real images as they are.",
)  # fmt: skip
@click.option(
    "--loss-option", "loss_options", type=parse_loss_option, multiple=True, metavar="NAME=NUMBER",
    show_default="those of the loss", help="A setting of the loss alone; may be repeated.",
)  # fmt: skip
@click.option(
    "--pool", metavar="auto|own|random|FOLDER", default="auto",
    help="Networks for dm and ncfm: own is made once for a dataset and kept in the cache, random "
    "are fresh ones, auto chooses by images per class; or those of `ddc pool`.",
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
@synthesis_option
@share_option
@click.option(
    "--context", type=click.Choice(CONTEXTS), default="coarser",
    help="What latents of a pyramid decoder are predicted from.",
)  # fmt: skip
@click.option(
    "--steps", "joint_steps", type=COUNT, default=1000, metavar="N",
    help="Steps of the joint optimisation.",
)  # fmt: skip
@click.option(
    "--time", "time_seconds", type=parse_time, metavar="TIME", show_default="none",
    help="Fit the numbers of steps to a wall-clock time such as 30m, 90s or 2h; making a pool is "
    "not counted.",
)  # fmt: skip
@click.option(
    "--fit-steps", type=COUNT, metavar="N", show_default="from the number of images",
    help="Steps of the first fit to real images.",
)  # fmt: skip
@seed_option
@click.option(
    "--lambda", "multiplier", type=parse_positive, metavar="X", show_default="from the budget",
    help="Bits that a unit of squared error is worth, held fixed; the size falls where it may.",
)  # fmt: skip
@click.option(
    "--quantizer", type=click.Choice(QUANTIZERS), default="descent",
    help="How latents follow the loss: integers one by one, or gradients through soft or "
    "straight-through rounding, for comparison.",
)  # fmt: skip
@click.option(
    "--skip-init", is_flag=True,
    help="Begin the joint optimisation on noise instead of real images, for comparison.",
)  # fmt: skip
@click.option(
    "--validate/--no-validate", default=True,
    help="Keep the best of a few candidates, judged on the validation tenth, or the last one.",
)  # fmt: skip
@resume_option
@click.option(
    "--log", "log_path", metavar="FILE", type=PATH, show_default="none",
    help="Write every step as a line of JSON.",
)  # fmt: skip
@label_options
@device_option
@names_option
def distill_command(
    dataset: str | None,
    data: str | None,
    size: str | None,
    budget: Size | None,
    output: Path | None,
    force: bool,
    recipe: str | None,
    record: bool,
    resume: bool,
    log_path: Path | None,
    **settings: Any,
) -> None:
    """Distill DATASET into a file of at most SIZE bytes per class.

    DATASET is glyphs (embedded), cifar10 or another that `ddc datasets` lists, or the path of an
    .npz or of an image folder or archive with train/CLASS/IMAGE; with --data it may be any name. A
    recipe may name it, and all else; options given here win.

    Every minute the run is kept in FILE.checkpoint, until it is done: after Ctrl-C or a crash the
    same command with --resume goes on to the same file.
    """
    from ddcodec.distill.running.checkpoint import checkpoint_path
    from ddcodec.export import check_output

    settings["loss_options"] = dict(settings["loss_options"])
    request = read_request(click.get_current_context(), recipe, settings)
    path = output or Path(_default_name(request.dataset, request.data, request.budget))
    outputs = [path, Path(f"{path}.json")] if record else [path]
    for file in outputs:
        check_output(file, force)
    watch = Watch(checkpoint_path(path), resume, log_path)
    watch.check(force)
    check_device(request.settings["device"])
    origin, asked, distilled = _distill(request, watch)
    try:
        _write(outputs, force, origin, asked, distilled)
    except OutputError as error:
        if not watch.checkpoint.exists():
            raise
        raise OutputError(
            f"{error} '{watch.checkpoint}' holds the finished run; add --resume to write it."
        ) from error
    watch.remove_checkpoints()
    print_facts(run_summary(distilled, path) + [("record", str(name)) for name in outputs[1:]])
    if distilled.is_below_floor:
        print(below_floor(asked))


def _write(
    outputs: list[Path], force: bool, origin: DatasetOrigin, asked: Recipe, distilled: Distilled
) -> None:
    """Write the file, and its record if there is a second output."""
    from ddcodec.codec.encode import write_atomically
    from ddcodec.export import check_output

    for file in outputs:
        check_output(file, force)
    write_atomically(distilled.encoded.data, outputs[0])
    if len(outputs) > 1:
        from ddcodec.distill.record import record_json

        write_atomically(record_json(origin, asked, distilled), outputs[1])


def _distill(request: Request, watch: Watch) -> tuple[DatasetOrigin, Recipe, Distilled]:
    from ddcodec.distill.recipe.recipe import Recipe

    budget = request.budget.num_bytes
    recipe = Recipe.from_mapping({**request.settings, "bytes_per_class": budget})
    with waiting(f"Loading {request.dataset}.") as say:
        dataset = load(request.dataset, request.data, request.size, say)
        from ddcodec.distill.distill import distill
        from ddcodec.distill.record import DatasetOrigin, compare
        from ddcodec.evaluation.validation import Validation

    warning = compare(request.recipe, dataset.fingerprint, recipe.device)
    if warning is not None:
        click.echo(warning, err=True)
    validation = Validation(dataset, recipe.device)
    validate = validation if recipe.validate else None
    with watch.supervision(validate, validation.judge_file) as supervision:
        distilled = distill(dataset, recipe, supervision)
    origin = DatasetOrigin(request.dataset, request.data, dataset.fingerprint, request.size)
    return origin, recipe, distilled


def _default_name(dataset: str, data: str | None, budget: Size) -> str:
    from ddcodec.datasets import DATASETS
    from ddcodec.datasets.trees.source import source_name, user_path

    name = dataset
    if dataset not in DATASETS and data is None:
        name = source_name(user_path(dataset))
    return default_file_name(name, budget)

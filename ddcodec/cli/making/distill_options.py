"""What `ddc distill` can be told."""

from __future__ import annotations

import click

from ddcodec.cli.shared.label_options import LABEL_OPTIONS
from ddcodec.cli.shared.loading import cache_limit_option, size_option
from ddcodec.cli.shared.options import (
    COUNT,
    PATH,
    Command,
    data_option,
    device_option,
    force_option,
    hold_out_option,
    named_number,
    parse_positive,
    with_options,
)
from ddcodec.cli.shared.run_options import (
    PARAMETERIZATIONS,
    budget_option,
    fit_steps_option,
    names_option,
    output_option,
    resume_option,
    searched_synthesis_option,
    seed_option,
    share_option,
    time_option,
)

LOSSES = ("none", "dm", "gm", "tm", "ncfm")
CONTEXTS = ("own", "coarser")
QUANTIZERS = ("descent", "soft", "ste")
BALANCES = ("equal", "natural")
STAGES = ("teacher", "labels", "select", "code", "refine")
INITS = ("random", "herding", "teacher", "crops", "packed")


def parse_loss(text: str) -> str:
    """Read the value of --loss; whether a class of the user's exists shows when it is imported."""
    if text in LOSSES or ":" in text:
        return text
    raise click.BadParameter(
        f"'{text}' is not one of {', '.join(LOSSES)}, and not module:Class either."
    )


_OPTIONS = (
    click.option(
        "--recipe", metavar="FILE|PRESET", show_default="none",
        help="Take what is not given here from a recipe: a .toml, the .ddc.json of --record, or a "
        "preset that `ddc recipes` lists.",
    ),
    data_option,
    size_option,
    cache_limit_option,
    budget_option(recipe_may_say=True),
    output_option("DATASET-SIZE.ddc"),
    force_option,
    click.option(
        "--record", is_flag=True,
        help="Write FILE.json, too: every setting, versions, digests; --recipe repeats the run.",
    ),
    click.option(
        "--loss", type=parse_loss, default="dm", metavar="NAME|MODULE:CLASS",
        show_default="dm, or none with a labeler",
        help=f"What images are optimised for: {', '.join(LOSSES)}, or a class of your own; "
        "none codes real images as they are.",
    ),
    click.option(
        "--loss-option", "loss_options", type=named_number("student_steps=40"), multiple=True,
        metavar="NAME=NUMBER", show_default="those of the loss",
        help="A setting of the loss alone; may be repeated.",
    ),
    click.option(
        "--pool", metavar="auto|random|FOLDER", default="auto",
        help="Networks for dm and ncfm: auto is made once for a dataset and kept in the cache, "
        "random are fresh ones; or those of `ddc pool`.",
    ),
    click.option(
        "--experts", metavar="FOLDER", show_default="none",
        help="Trajectories made by `ddc experts`, for tm.",
    ),
    click.option(
        "--init", type=click.Choice(INITS), default="random",
        help="Real images to start from, or crops of them, one or 2×2 to an image; all but random "
        "look through a pool, crops through --teacher if it is given.",
    ),
    click.option(
        "--parameterization", type=click.Choice(PARAMETERIZATIONS), default="latents",
        help="What is optimised: latents under the rate, or plain pixels coded without loss.",
    ),
    click.option(
        "--spc", "images_per_class", type=COUNT, metavar="N", show_default="from the budget",
        help="Synthetic images per class.",
    ),
    click.option(
        "--balance", type=click.Choice(BALANCES), default="equal",
        help="Images of each class: equal, as many of each or all there are; or natural, in "
        "proportion to its training images.",
    ),
    searched_synthesis_option,
    share_option,
    click.option(
        "--context", type=click.Choice(CONTEXTS), default="coarser",
        help="What latents of a pyramid decoder are predicted from.",
    ),
    click.option(
        "--steps", "joint_steps", type=COUNT, default=1000, metavar="N",
        help="Steps of the joint optimisation.",
    ),
    time_option(
        "Fit the numbers of steps to a wall-clock time such as 30m, 90s or 2h; making a pool is "
        "not counted."
    ),
    fit_steps_option("Steps of the first fit to real images."),
    seed_option,
    click.option(
        "--lambda", "multiplier", type=parse_positive, metavar="X", show_default="from the budget",
        help="Bits that a unit of squared error is worth, held fixed; the size falls where it may.",
    ),
    click.option(
        "--quantizer", type=click.Choice(QUANTIZERS), default="descent",
        help="How latents follow the loss: integers one by one, or gradients through soft or "
        "straight-through rounding, for comparison.",
    ),
    click.option(
        "--skip-init", is_flag=True,
        help="Begin the joint optimisation on noise instead of real images, for comparison.",
    ),
    hold_out_option,
    click.option(
        "--validate/--no-validate", default=True,
        help="Keep the best of a few candidates, judged on the validation tenth, or the last one.",
    ),
    click.option(
        "--until", type=click.Choice(STAGES), show_default="the file",
        help="End after a stage and keep what it leaves; the same command with --resume, and "
        "without --until or with a later one, goes on. select writes FILE.selected.npz.",
    ),
    resume_option,
    click.option(
        "--log", "log_path", metavar="FILE", type=PATH, show_default="none",
        help="Write every step as a line of JSON.",
    ),
    *LABEL_OPTIONS,
    device_option,
    names_option,
)  # fmt: skip


def distill_options(command: Command) -> Command:
    """Add all options of `ddc distill`."""
    return with_options(_OPTIONS, command)

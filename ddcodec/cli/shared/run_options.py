"""Options that `ddc distill` and `ddc encode` share, and the names of the files they make."""

from __future__ import annotations

import re

import click

from ddcodec.cli.shared.options import (
    COUNT,
    PATH,
    Decorator,
    Size,
    parse_decoder,
    parse_size,
    parse_time,
    whole_number,
)

SHARES = ("class", "groups", "all")
PARAMETERIZATIONS = ("latents", "pixels")

_SYNTHESIS = "Decoder: wavelet, wavelet-16 (width of its refinement), or a pyramid: v4 or 160,40"
synthesis_option = click.option(
    "--synthesis", type=parse_decoder, metavar="NAME", show_default="from the budget",
    help=f"{_SYNTHESIS}.",
)  # fmt: skip
searched_synthesis_option = click.option(
    "--synthesis", type=parse_decoder, metavar="NAME", show_default="from the budget",
    help=f"{_SYNTHESIS}; search takes what short fits of the images find best.",
)  # fmt: skip
share_option = click.option(
    "--share", type=click.Choice(SHARES), show_default="from the budget",
    help="One set of networks per class, per group of classes, or for all.",
)  # fmt: skip
seed_option = click.option(
    "--seed", type=whole_number(least=0), default=0, metavar="N",
    help="Everything random follows from it.",
)  # fmt: skip
resume_option = click.option(
    "--resume", is_flag=True, help="Go on from the checkpoint of an interrupted run."
)
names_option = click.option(
    "--names/--no-names", "keep_class_names", default=True, help="Keep the class names."
)


def budget_option(recipe_may_say: bool) -> Decorator:
    """Return --bpc, required where no recipe can say it."""
    return click.option(
        "--bpc", "budget", type=parse_size, metavar="SIZE", required=not recipe_may_say,
        show_default="that of the recipe" if recipe_may_say else False,
        help="Budget per class: 10k and 10kB are 10,000 bytes; also 10KiB, 80kbit.",
    )  # fmt: skip


def output_option(default: str) -> Decorator:
    """Return -o, with what the file is called else."""
    return click.option(
        "-o", "--output", metavar="FILE", type=PATH, show_default=default, help="File to write."
    )


def fit_steps_option(help_text: str) -> Decorator:
    """Return --fit-steps, with what is fitted."""
    return click.option(
        "--fit-steps", type=COUNT, metavar="N", show_default="320",
        help=help_text,
    )  # fmt: skip


def time_option(help_text: str) -> Decorator:
    """Return --time, with what a time means to a command."""
    return click.option(
        "--time", "time_seconds", type=parse_time, metavar="TIME", show_default="none",
        help=help_text,
    )  # fmt: skip


def default_file_name(name: str, budget: Size) -> str:
    """Return what a file is called after its source and the size as it was typed."""
    size = "".join(budget.text.split())
    return re.sub(r"[^\w.-]+", "_", f"{name}-{size}.ddc")

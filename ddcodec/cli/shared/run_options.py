"""Options that `ddc distill` and `ddc encode` share, and the names of the files they make."""

from __future__ import annotations

import re

import click

from ddcodec.cli.shared.options import Size, parse_decoder, whole_number

SHARES = ("class", "groups", "all")
PARAMETERIZATIONS = ("latents", "pixels")

synthesis_option = click.option(
    "--synthesis", type=parse_decoder, metavar="NAME", show_default="from the budget",
    help="Decoder: wavelet, wavelet-16 (width of its refinement), or a pyramid: v4 or 160,40.",
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


def default_file_name(name: str, budget: Size) -> str:
    """Return what a file is called after its source and the size as it was typed."""
    size = "".join(budget.text.split())
    return re.sub(r"[^\w.-]+", "_", f"{name}-{size}.ddc")

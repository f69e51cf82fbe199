"""`ddc pool`: partly trained networks and what they see in real images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from ddcodec.cli.shared.networks import folder_option, make_networks, network_options
from ddcodec.cli.shared.options import COUNT

OPTIMISERS = ("muon", "sgd")
"""The keys of `SCHEDULES` in `distill/trained/pools.py`, which would import torch."""


def parse_numbers(text: str) -> tuple[float, ...]:
    """Read numbers separated by commas; nothing at all is none."""
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is not a list of numbers such as 0.5,1,2.") from error


@click.command("pool")
@network_options
@folder_option("pool")
@click.option("--count", type=COUNT, default=8, metavar="N", help="Networks to train.")
@click.option(
    "--epochs", type=parse_numbers, default=None, metavar="LIST", show_default="as suit the images",
    help="When a network is taken into the pool; training ends at the last.",
)  # fmt: skip
@click.option(
    "--mixes", type=parse_numbers, default="0.25,0.5,0.75", metavar="LIST",
    help="Shares of the last weights in networks between initial and last ones.",
)  # fmt: skip
@click.option(
    "--optimiser", type=click.Choice(OPTIMISERS), default="muon",
    help="What trains them; sgd takes more epochs.",
)  # fmt: skip
@click.option("--draws", type=COUNT, default=4, metavar="N", help="Augmentations of every network.")
@click.option(
    "--frequencies", type=COUNT, default=256, metavar="N",
    help="Arguments of the characteristic functions kept for --loss ncfm.",
)  # fmt: skip
def pool_command(
    dataset: str,
    data: str | None,
    size: str | None,
    hold_out: bool,
    folder: Path,
    **settings: Any,
) -> None:
    """Make a pool of partly trained networks for `ddc distill --pool`.

    Networks are trained on the training part of DATASET, the validation tenth left out, and what
    they see in some of its images is stored, so that distillation needs none. Under
    torchrun (docs/scaling.md) every process trains a share.
    """
    device = settings.pop("device")

    def prepare() -> tuple[Callable[..., None], str]:
        from ddcodec.distill.trained.pools import PoolSettings, make_pool

        pool = PoolSettings(**settings)
        networks = f"{pool.count} trained, {pool.members} of each in the pool"
        return partial(make_pool, settings=pool), networks

    make_networks(dataset, data, size, hold_out, folder, device, prepare)

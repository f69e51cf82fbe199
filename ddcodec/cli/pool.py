"""`ddc pool`: partly trained networks and what they see in all real images."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ddcodec.cli.networks import (
    folder_bytes,
    folder_option,
    keeping,
    network_options,
    print_plan,
    show_training,
)
from ddcodec.cli.options import COUNT, check_device
from ddcodec.console import format_bytes, format_duration, print_facts, waiting


def parse_numbers(text: str) -> tuple[float, ...]:
    """Read numbers separated by commas; nothing at all is none."""
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise click.BadParameter(f"'{text}' is not a list of numbers such as 0.5,1,2.") from error


@click.command("pool")
@network_options
@folder_option("pool")
@click.option("--count", type=COUNT, default=3, metavar="N", help="Networks to train.")
@click.option(
    "--epochs", type=parse_numbers, default="0.5,1,2,4", metavar="LIST",
    help="When a network is taken into the pool; training ends at the last.",
)  # fmt: skip
@click.option(
    "--mixes", type=parse_numbers, default="0.5", metavar="LIST",
    help="Shares of the last weights in networks between initial and last ones.",
)  # fmt: skip
@click.option("--draws", type=COUNT, default=8, metavar="N", help="Augmentations of every network.")
@click.option(
    "--frequencies", type=COUNT, default=1024, metavar="N",
    help="Arguments of the characteristic functions kept for --loss ncfm.",
)  # fmt: skip
def pool_command(dataset: str, data: str | None, folder: Path, **settings: Any) -> None:
    """Make a pool of partly trained networks for `ddc distill --pool`.

    Networks are trained on the training part of DATASET, the validation tenth left out, and what
    they see in all of its images is stored, so that distillation needs no real images.
    """
    device = settings.pop("device")
    check_device(device)
    from ddcodec.datasets import load_dataset

    started = time.monotonic()
    with waiting(f"Loading {dataset}."):
        loaded = load_dataset(dataset, data)
        import torch

        from ddcodec.distill.pools import PoolSettings, make_pool

        pool = PoolSettings(**settings)
    with keeping(folder) as report:
        make_pool(
            loaded,
            folder,
            pool,
            torch.device(device),
            lambda progress: show_training(report, progress),
            lambda missing, needed: print_plan(folder, missing, needed),
        )
    members = len(pool.epochs) + len(pool.mixes)
    print_facts(
        [
            ("folder", str(folder)),
            ("networks", f"{pool.count} trained, {members} of each in the pool"),
            ("size", format_bytes(folder_bytes(folder))),
            ("time", format_duration(time.monotonic() - started)),
        ]
    )

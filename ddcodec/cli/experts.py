"""`ddc experts`: trajectories of networks on real images, for trajectory matching."""

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

DTYPES = ("bf16", "fp32")


@click.command("experts")
@network_options
@folder_option("experts")
@click.option("--count", type=COUNT, default=10, metavar="N", help="Networks to train.")
@click.option("--epochs", type=COUNT, default=50, metavar="N", help="Epochs of each.")
@click.option(
    "--dtype", type=click.Choice(DTYPES), default="bf16", help="Number format of stored weights."
)
def experts_command(dataset: str, data: str | None, folder: Path, **settings: Any) -> None:
    """Train expert networks for `ddc distill --loss tm --experts`.

    They are trained on the training part of DATASET, the validation tenth left out, and their
    weights after every epoch are stored.
    """
    device = settings.pop("device")
    check_device(device)
    from ddcodec.datasets import load_dataset

    started = time.monotonic()
    with waiting(f"Loading {dataset}."):
        loaded = load_dataset(dataset, data)
        import torch

        from ddcodec.distill.experts import ExpertSettings, make_experts

        experts = ExpertSettings(**settings)
    with keeping(folder) as report:
        make_experts(
            loaded,
            folder,
            experts,
            torch.device(device),
            lambda progress: show_training(report, progress),
            lambda missing, needed: print_plan(folder, missing, needed),
        )
    print_facts(
        [
            ("folder", str(folder)),
            ("networks", f"{experts.count} of {experts.epochs} epochs"),
            ("size", format_bytes(folder_bytes(folder))),
            ("time", format_duration(time.monotonic() - started)),
        ]
    )

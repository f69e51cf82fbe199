"""`ddc experts`: trajectories of networks on real images, for trajectory matching."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from ddcodec.cli.shared.networks import folder_option, make_networks, network_options
from ddcodec.cli.shared.options import COUNT

DTYPES = ("bf16", "fp32")


@click.command("experts")
@network_options
@folder_option("experts")
@click.option("--count", type=COUNT, default=10, metavar="N", help="Networks to train.")
@click.option("--epochs", type=COUNT, default=50, metavar="N", help="Epochs of each.")
@click.option(
    "--dtype", type=click.Choice(DTYPES), default="bf16", help="Number format of stored weights."
)
def experts_command(
    dataset: str,
    data: str | None,
    size: str | None,
    hold_out: bool,
    folder: Path,
    **settings: Any,
) -> None:
    """Train expert networks for `ddc distill --loss tm --experts`.

    They are trained on the training part of DATASET, the validation tenth left out, and their
    weights after every epoch are stored. Under torchrun (docs/scaling.md) every process trains a
    share.
    """
    device = settings.pop("device")

    def prepare() -> tuple[Callable[..., None], str]:
        from ddcodec.distill.trained.experts import ExpertSettings, make_experts

        experts = ExpertSettings(**settings)
        networks = f"{experts.count} of {experts.epochs} epochs"
        return partial(make_experts, settings=experts), networks

    make_networks(dataset, data, size, hold_out, folder, device, prepare)

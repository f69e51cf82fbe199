"""`ddc teacher`: a network that gives soft labels, and that labelers learn from."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ddcodec.cli.shared.console import format_duration, print_facts, waiting
from ddcodec.cli.shared.loading import cache_limit_option, load, size_option
from ddcodec.cli.shared.networks import folder_option, keeping, show_training
from ddcodec.cli.shared.options import (
    COUNT,
    check_device,
    data_option,
    device_option,
    hold_out_option,
    parse_positive,
    whole_number,
)


@click.command("teacher")
@click.argument("dataset")
@data_option
@size_option
@cache_limit_option
@hold_out_option
@folder_option("teacher")
@click.option(
    "--width", "last_width", type=COUNT, default=160, metavar="N",
    help="Channels of the last layer; the others follow.",
)  # fmt: skip
@click.option(
    "--epochs", type=parse_positive, default=24.0, metavar="N",
    help="Passes over the training part.",
)  # fmt: skip
@click.option(
    "--seed", type=whole_number(least=0), default=0, metavar="N",
    help="Everything random follows from it.",
)  # fmt: skip
@device_option
def teacher_command(
    dataset: str,
    data: str | None,
    size: str | None,
    hold_out: bool,
    folder: Path,
    last_width: int,
    epochs: float,
    seed: int,
    device: str,
) -> None:
    """Train a teacher for `ddc distill --labels soft` and `--labels labeler`.

    It sees the training part of DATASET, the validation tenth left out, which its accuracy is
    measured on. The same command goes on after an interruption.
    """
    check_device(device)
    started = time.monotonic()
    with waiting(f"Loading {dataset}.") as say:
        loaded = load(dataset, data, size, say).holding_out(hold_out)
        import torch

        from ddcodec.datasets.wording import validated
        from ddcodec.distill.labels.making import TeacherSettings, make_teacher
        from ddcodec.distill.labels.training import LabelerSettings
    settings = TeacherSettings(last_width, LabelerSettings(epochs=epochs), seed)
    with keeping(folder) as report:
        made = make_teacher(
            loaded,
            folder,
            settings,
            torch.device(device),
            lambda progress: show_training(report, progress),
        )
    weights = sum(part.numel() for part in made.network.parameters())
    print_facts(
        [
            ("folder", str(folder)),
            ("network", f"{len(made.network.shape.layers)} layers, {weights:,} weights"),
            ("accuracy", validated(made.accuracy)),
            ("time", format_duration(time.monotonic() - started)),
        ]
    )

"""What the commands that train networks share: options, the plan, progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ddcodec.budget import format_bytes
from ddcodec.cli.shared.console import ProgressReport, format_duration, print_facts, waiting
from ddcodec.cli.shared.group import Interrupted, describe
from ddcodec.cli.shared.loading import cache_limit_option, load, size_option
from ddcodec.cli.shared.options import (
    COUNT,
    PATH,
    Command,
    Decorator,
    check_device,
    data_option,
    device_option,
    hold_out_option,
    whole_number,
    with_options,
)
from ddcodec.ranks import joined

if TYPE_CHECKING:
    from ddcodec.distill.trained.network_training import TrainingProgress

ARCHITECTURES = ("convnet", "convnet-half")

_SHARED = (
    click.argument("dataset"),
    data_option,
    size_option,
    cache_limit_option,
    hold_out_option,
    click.option("--arch", type=click.Choice(ARCHITECTURES), default="convnet", help="Network."),
    click.option(
        "--width", "network_width", type=COUNT, default=64, metavar="N",
        help="Channels of the convolutions.",
    ),
    click.option(
        "--seed", type=whole_number(least=0), default=0, metavar="N",
        help="Everything random follows from it.",
    ),
    device_option,
)  # fmt: skip


def network_options(command: Command) -> Command:
    """Add the dataset and the options that every command that trains networks has."""
    return with_options(_SHARED, command)


def folder_option(default: str) -> Decorator:
    """Return the option -o of a command that fills a folder."""
    return click.option(
        "-o", "--output", "folder", metavar="FOLDER", type=PATH, default=default,
        help="Folder to fill; what is complete in it is kept.",
    )  # fmt: skip


def make_networks(
    dataset: str,
    data: str | None,
    size: str | None,
    hold_out: bool,
    folder: Path,
    device: str,
    prepare: Callable[[], tuple[Callable[..., None], str]],
) -> None:
    """Load a dataset, fill a folder with networks trained on it, and say what it holds.

    Processes of one job make a share each.

    Args:
        dataset: A dataset's name or folder.
        data: What `--data` says.
        size: What `--size` says.
        hold_out: What `--hold-out` says.
        folder: To fill.
        device: What `--device` says.
        prepare: Called when the dataset is there, so that what is slow to import comes late;
            returns `make_experts` or `make_pool` with its settings, and a phrase about the
            networks.
    """
    started = time.monotonic()
    with joined(device, describe) as ranks:
        check_device(device)
        with ranks.first_alone(), waiting(f"Loading {dataset}.") as say:
            loaded = load(dataset, data, size, say).holding_out(hold_out)
        import torch

        make, networks = prepare()
        with keeping(folder) as report:
            make(
                dataset=loaded,
                folder=folder,
                device=torch.device(device),
                on_progress=lambda progress: show_training(report, progress),
                on_plan=lambda missing, needed: print_plan(folder, missing, needed),
                ranks=ranks,
            )
        print_facts(
            [
                ("folder", str(folder)),
                ("networks", networks),
                ("size", format_bytes(folder_bytes(folder))),
                ("time", format_duration(time.monotonic() - started)),
            ]
        )


def folder_bytes(folder: Path) -> int:
    """Return the size of all files of a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


@contextmanager
def keeping(folder: Path) -> Iterator[ProgressReport]:
    """Show progress, and say what an interrupt leaves."""
    try:
        with ProgressReport() as report:
            yield report
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"Interrupted; the same command goes on from what is in '{folder}', a minute before at "
            "most."
        ) from error


def print_plan(folder: Path, missing: int, needed: int) -> None:
    """Say what will be done before it is done."""
    if not missing:
        print(f"'{folder}' is complete; there is nothing to do.")
        return
    plural = "" if missing == 1 else "s"
    print(f"{missing} network{plural} to train, {format_bytes(needed)} in '{folder}'.", flush=True)


def show_training(report: ProgressReport, progress: TrainingProgress) -> None:
    """Show a step of making networks."""
    number = f"{progress.network + 1}/{progress.networks}"
    loss = "" if progress.loss is None else f"loss {progress.loss:.3f}"
    report.update(
        f"{progress.phase} {number}",
        progress.step,
        progress.steps,
        loss,
        progress.seconds_left,
    )

"""`ddc sweep`: a grid of budgets, losses and seeds, each distilled and evaluated once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, TypeVar

import click

from ddcodec.cli.looking.eval import ARCHITECTURES, SPLITS
from ddcodec.cli.making.distill import distill_command
from ddcodec.cli.making.distill_options import parse_loss
from ddcodec.cli.making.grid import OWN_OPTIONS, EvaluationRequest, Grid, GridPoint
from ddcodec.cli.making.shards import (
    SCRIPT,
    RepeatableCommand,
    Shard,
    parse_shard,
    say_script,
    slurm_script,
)
from ddcodec.cli.shared.console import print_table
from ddcodec.cli.shared.judging_options import PROTOCOLS
from ddcodec.cli.shared.options import COUNT, PATH, Size, parse_size, whole_number
from ddcodec.errors import OutputError
from ddcodec.kept.lock import only_one
from ddcodec.kept.writing import write_atomically
from ddcodec.results.runs import read_evaluation

Value = TypeVar("Value")


def listed(parse: Callable[[str], Value]) -> Callable[[str], tuple[Value, ...]]:
    """Return a reader of values separated by commas, none of them twice."""

    def parse_list(text: str) -> tuple[Value, ...]:
        values = tuple(parse(part.strip()) for part in text.split(","))
        # Sizes are equal that are equally many bytes.
        keys = [getattr(value, "num_bytes", value) for value in values]
        for value, key in zip(values, keys, strict=True):
            if keys.count(key) > 1:
                raise click.BadParameter(f"'{text}' names {getattr(value, 'text', value)} twice.")
        return values

    return parse_list


@click.command("sweep", cls=RepeatableCommand)
@click.argument("dataset", required=False)
@click.option(
    "--bpc", "budgets", type=listed(parse_size), required=True, metavar="LIST",
    help="Budgets per class such as 1k,3k,10k,30k.",
)  # fmt: skip
@click.option(
    "--loss", "losses", type=listed(parse_loss), default="none,dm", metavar="LIST",
    help="Losses as of distill; none is the baseline of coded real images.",
)  # fmt: skip
@click.option(
    "--seeds", type=listed(whole_number(least=0)), default="0", metavar="LIST",
    help="Seeds of distillation; each makes a file.",
)  # fmt: skip
@click.option(
    "-o", "--output", "folder", metavar="FOLDER", type=PATH, default=Path("runs"),
    help="Folder to fill; what is complete in it is kept.",
)  # fmt: skip
@click.option(
    "--protocol", type=click.Choice(PROTOCOLS), default="quick", help="How files are evaluated."
)
@click.option(
    "--repeats", type=COUNT, metavar="N", show_default="those of eval",
    help="Networks to train on each file.",
)  # fmt: skip
@click.option(
    "--arch", type=click.Choice(ARCHITECTURES), default="convnet", help="Network to train."
)
@click.option(
    "--split", type=click.Choice(SPLITS), default="test",
    help="What to test on: the test images, once per finished file, or the validation tenth of "
    "the training images, to choose among settings.",
)  # fmt: skip
@click.option(
    "--shard", type=parse_shard, metavar="I/N",
    help="Make every N-th point only, from the I-th: N processes share a grid, on one disk.",
)  # fmt: skip
@click.option(
    "--slurm", "jobs", type=COUNT, metavar="N",
    help=f"Write FOLDER/{SCRIPT}, which runs N shards on a cluster, and submit nothing.",
)  # fmt: skip
@click.pass_context
def sweep_command(
    context: click.Context,
    /,
    budgets: tuple[Size, ...],
    losses: tuple[str, ...],
    seeds: tuple[int, ...],
    folder: Path,
    protocol: str,
    repeats: int | None,
    arch: str,
    split: str,
    shard: Shard | None,
    jobs: int | None,
    **shared: Any,
) -> None:
    """Distill DATASET at every budget with every loss, and evaluate each file once.

    Each point is a set of files in FOLDER. What is complete is skipped, so the same command goes on
    after Ctrl-C or a crash, a longer list adds points, and `ddc plot FOLDER` draws the curves.
    Other options are those of `ddc distill` and hold for all points.
    """
    if shard is not None and jobs is not None:
        raise click.UsageError("--slurm writes what calls --shard; leave --shard out.")
    points = [
        GridPoint(loss, budget, seed) for budget in budgets for loss in losses for seed in seeds
    ]
    evaluation = EvaluationRequest(protocol, arch, repeats, split)
    grid = Grid(context, folder, shared, evaluation)
    requests = {point: grid.request(point) for point in points}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder '{folder}': {error.strerror}.") from error
    if jobs is not None:
        jobs = min(jobs, len(points))
        write_atomically(os.fsencode(slurm_script(context, jobs)), folder / SCRIPT)
        say_script(folder / SCRIPT, jobs, len(points))
        return
    own = points if shard is None else shard.of(points)
    with contextlib.ExitStack() as held:
        for point in own:
            held.enter_context(only_one(folder / point.name, f"'{grid.file(point)}'"))
        if own:
            grid.run(own, [requests[point] for point in own])
    left = [point for point in points if not grid.evaluation_path(point).exists()]
    print_results(grid, own if left else points)
    if shard is not None:
        print(_shard_sentence(shard, len(own), len(points), len(left)))


sweep_command.params += [
    option
    for option in distill_command.params
    if isinstance(option, click.Option) and option.name not in OWN_OPTIONS
]


def _shard_sentence(shard: Shard, own: int, points: int, left: int) -> str:
    done = f"Shard {shard} is done" if own else f"Shard {shard} of {points} points is empty"
    if not left:
        return f"{done}, and so are all {points} points."
    return (
        f"{done}; {left} of {points} points are left to others. The same command without --shard "
        "prints all."
    )


def print_results(grid: Grid, points: list[GridPoint]) -> None:
    """Print a line for every point that was evaluated."""
    rows = []
    for point in points:
        path = grid.evaluation_path(point)
        if not path.exists():
            continue
        found = read_evaluation(path)
        mean, deviation = fmean(found.accuracies), pstdev(found.accuracies)
        rows.append(
            (
                point.name,
                f"{found.file_bytes:,}",
                f"{found.bits_per_class:,.0f}",
                f"{found.num_images:,}",
                f"{mean:.2f} ± {deviation:.2f}",
                f"{len(found.accuracies)}",
            )
        )
    if not rows:
        return
    columns = ("point", "bytes", "bits per class", "images", "accuracy, %", "networks")
    print_table(columns, rows)
    evaluation = grid.evaluation
    split = "test images" if evaluation.split == "test" else "validation part, not the test set"
    print(f"protocol {evaluation.protocol}, {evaluation.arch}, {split}; {grid.folder}")

"""Shards: a sweep shared out among processes that know nothing of each other."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ddcodec.format.printable import printable

Item = TypeVar("Item")

SCRIPT = "sweep.sbatch"
"""What the script of a cluster is called, in the folder of its sweep."""

_WORDS = "ddcodec.sweep.words"


@dataclass(frozen=True)
class Shard:
    """One of several shares of a grid.

    Attributes:
        number: Of this one, from 1.
        count: How many there are.
    """

    number: int
    count: int

    def of(self, items: Sequence[Item]) -> list[Item]:
        """Return this share: every `count`-th item, from this one's number on."""
        return list(items[self.number - 1 :: self.count])

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Read the value of --shard, such as `2/8`."""
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal():
        shard = Shard(int(number), int(count))
        if 1 <= shard.number <= shard.count:
            return shard
    raise click.BadParameter(f"'{text}' is no shard such as 1/8, the first of 8, or 8/8, the last.")


class RepeatableCommand(click.Command):
    """A command that knows the words it was called with."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and remember."""
        ctx.meta[_WORDS] = list(args)
        return super().parse_args(ctx, args)


def slurm_script(context: click.Context, jobs: int) -> str:
    """Return a script for `sbatch` that calls the command of a context once for every shard.

    Args:
        context: Of a `RepeatableCommand` that has `--slurm` and `--shard`.
        jobs: How many shards.
    """
    command = shlex.join([sys.executable, "-m", "ddcodec", "sweep"])
    words = shlex.join(_without("--slurm", context.meta[_WORDS]))
    return f"""#!/bin/sh
#SBATCH --job-name=ddc-sweep
#SBATCH --array=1-{jobs}
# Time, memory and partition are given to sbatch, or in further lines like these.
# The same number of threads in every job: sums that are split otherwise round differently.
export OMP_NUM_THREADS="${{SLURM_CPUS_PER_TASK:-1}}"
cd {shlex.quote(str(Path.cwd()))} || exit 1
exec {command} --shard "$SLURM_ARRAY_TASK_ID/{jobs}" {words}
"""


def say_script(path: Path, jobs: int, points: int) -> None:
    """Say what was written and what is to be done with it."""
    jobs_text = "1 job" if jobs == 1 else f"{jobs} jobs"
    points_text = "1 point" if points == 1 else f"{points} points"
    name = printable(str(path))
    print(f"'{name}' runs {points_text} in {jobs_text}; nothing was submitted. Do it by")
    print(f"  sbatch {printable(shlex.quote(str(path)))}")
    print("and call the same command without --slurm afterwards, for the table of all points.")


def _without(option: str, words: Sequence[str]) -> list[str]:
    """Return words without an option and its value."""
    left: list[str] = []
    given: Any = iter(words)
    for word in given:
        if word == option:
            next(given)
        elif not word.startswith(f"{option}="):
            left.append(word)
    return left

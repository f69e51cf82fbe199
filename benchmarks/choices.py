"""What contexts, sharing, numbers of images and refinements are worth: short runs without a loss.

    python benchmarks/choices.py contexts sharing --data cifar10.tar.xz -o choices

Every set of options is a `ddc sweep` in a folder of its own, so that what is complete is skipped
and what several experiments need is made once. The tables are printed as Markdown. Files are judged
on the validation part, by one network of protocol `glance` each: such figures rank choices and are
good for nothing else.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from ddcodec.results.runs import Point, read_points

LOSS, SEED, SPLIT = "none", "0", "val"
# Short: the automatic fit has 960 steps at 10 kB.
COMMON = ["--loss", LOSS, "--seeds", SEED, "--fit-steps", "160"]
COMMON += ["--protocol", "glance", "--split", SPLIT]

Options = tuple[str, ...]
Choices = dict[str, tuple[str, Options]]
"""A budget and further options of `ddc sweep`, by the name of a choice."""


def _at(budget: str, option: str, *values: str) -> Choices:
    """Return the choices of one option at a budget."""
    return {value: (budget, (option, value)) for value in values}


DEFAULT: Options = ()
EXPERIMENTS: dict[str, Choices] = {
    # The same latents under a worse entropy model are a larger file, so that equal bits buy what a
    # smaller budget buys under ours: 10 kB times the ratio of sizes in "The context model on real
    # latents" of docs/results/codec.md.
    "contexts": {
        "context model": ("10k", DEFAULT),
        "as many bits under a factorised model": ("8.66k", DEFAULT),
        "as many bits under a fixed Gaussian": ("2.57k", DEFAULT),
    },
    "sharing": {
        "one set of networks for all": ("10k", DEFAULT),
        **_at("10k", "--share", "groups", "class"),
    },
    "images": {
        "162": ("10k", DEFAULT),
        **_at("10k", "--spc", "8", "32", "64", "320", "700"),
    },
    "refinements": _at("10k", "--synthesis", "wavelet-8", "wavelet-16", "wavelet-24"),
}


def sweep(folder: Path, budget: str, options: Options, arguments: argparse.Namespace) -> Point:
    """Make and judge the file of one choice, unless it is there."""
    command = [sys.executable, "-m", "ddcodec.cli", "sweep", arguments.dataset]
    command += ["--data", arguments.data] if arguments.data else []
    subprocess.run([*command, "--bpc", budget, "-o", str(folder), *COMMON, *options], check=True)
    name = f"{LOSS}-{budget}-seed{SEED}"
    return next(point for point in read_points(folder, SPLIT) if point.name == name)


def row(choice: str, point: Point) -> str:
    """Return a row of a table."""
    found = point.evaluation
    return (
        f"| {choice} | {found.file_bytes:,} | {found.bits_per_class:,.0f} | "
        f"{found.num_images:,} | {found.accuracies[0]:.1f} |"
    )


def main() -> None:
    """Run the experiments and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="+", choices=EXPERIMENTS)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data")
    parser.add_argument("--bpc", nargs="+", help="only choices at these budgets")
    parser.add_argument("-o", "--output", type=Path, default=Path("choices"))
    arguments = parser.parse_args()
    for experiment in arguments.experiments:
        print(f"\n| {experiment} | bytes | bits per class | images | accuracy, % |")
        print("|---|---|---|---|---|", flush=True)
        for choice, (budget, options) in EXPERIMENTS[experiment].items():
            if arguments.bpc is None or budget in arguments.bpc:
                folder = arguments.output / ("".join(options).strip("-") or "default")
                print(row(choice, sweep(folder, budget, options, arguments)), flush=True)


if __name__ == "__main__":
    main()

"""Which decoder, sharing, context and number of images win where: short runs of coded real images.

    python benchmarks/choices.py decoders --data cifar10.tar.xz -o choices
    python benchmarks/choices.py sharing images contexts --data cifar10.tar.xz -o choices

Each choice is a `ddc sweep` in a folder of its own, so that what is complete is skipped; the tables
of all that is there are printed as Markdown. Files are judged on the validation part, by one
network of protocol `glance` each: such figures rank choices and are good for nothing else.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from ddcodec.runs import read_points

BUDGETS = "3k,10k,30k"
COMMON = ("--loss", "none", "--fit-steps", "320", "--protocol", "glance", "--split", "val")

Choices = dict[str, tuple[str, tuple[str, ...]]]
"""Budgets and further options of `ddc sweep`, by the name of a choice."""

DECODERS: Choices = {
    name: (BUDGETS, ("--synthesis", name))
    for name in ("wavelet", "wavelet-16", "v0", "v3-2", "v4", "v7")
}
SHARING: Choices = {name: ("10k", ("--share", name)) for name in ("class", "groups", "all")}
IMAGES: Choices = {
    str(count): ("10k", ("--spc", str(count))) for count in (8, 32, 64, 162, 320, 700)
}
# The same latents under a worse entropy model are a larger file, so that equal bits buy what a
# smaller budget buys under ours: 10 kB times the ratio of sizes in "The context model on real
# latents" of docs/results.md.
CONTEXTS: Choices = {
    "factorised, as many bits": ("8.66k", ()),
    "fixed Gaussian, as many bits": ("2.57k", ()),
    "context": ("10k", ()),
    "v4, own level alone": ("10k", ("--synthesis", "v4", "--context", "own")),
    "v4, with the coarser level": ("10k", ("--synthesis", "v4", "--context", "coarser")),
}
EXPERIMENTS = {"decoders": DECODERS, "sharing": SHARING, "images": IMAGES, "contexts": CONTEXTS}


def sweep(folder: Path, options: tuple[str, ...], arguments: argparse.Namespace) -> None:
    """Make and judge the files of one choice."""
    command = [sys.executable, "-m", "ddcodec.cli", "sweep", arguments.dataset]
    command += ["--data", arguments.data] if arguments.data else []
    subprocess.run([*command, "-o", str(folder), *COMMON, *options], check=True)


def table(folder: Path, choices: Choices) -> str:
    """Return a table of the files of one experiment."""
    lines = ["| | bytes | bits per class | images | accuracy, % |", "|---|---|---|---|---|"]
    for name in choices:
        points = [point.evaluation for point in read_points(folder / _file_name(name), "val")]
        for found in sorted(points, key=lambda point: point.file_bytes):
            lines.append(
                f"| {name} | {found.file_bytes:,} | {found.bits_per_class:,.0f} | "
                f"{found.num_images:,} | {found.accuracies[0]:.1f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Run the experiments and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="+", choices=EXPERIMENTS)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data")
    parser.add_argument("--bpc", help="budgets in place of those of the experiment")
    parser.add_argument("-o", "--output", type=Path, default=Path("choices"))
    arguments = parser.parse_args()
    for experiment in arguments.experiments:
        folder, choices = arguments.output / experiment, EXPERIMENTS[experiment]
        for name, (budgets, options) in choices.items():
            budget = ("--bpc", arguments.bpc or budgets)
            sweep(folder / _file_name(name), (*budget, *options), arguments)
        print(f"\n{experiment}\n\n{table(folder, choices)}", flush=True)


def _file_name(choice: str) -> str:
    return choice.replace(",", "").replace(" ", "-")


if __name__ == "__main__":
    main()

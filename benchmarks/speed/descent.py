"""Looking for changes of integer latents, with and without skipping what sees nothing but zeros.

    python benchmarks/speed/descent.py examples/imagenette128-9k-hard.ddc examples/cifar10-3k.ddc

The latents and networks are those of a file, wishes lie a little beside them. Both ways take turns;
each number is the median over turns of CPU milliseconds an image, on one thread. The second line of
a file tells how many changes both find, and how many of them are the same.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddcodec.codec.context import quiet_stack
from ddcodec.codec.decode import decode_symbols
from ddcodec.codec.stream import context_of, synthesis_of
from ddcodec.distill.latents.descent import Descent
from ddcodec.distill.latents.representation import Representation, quantised_parameters
from ddcodec.format.limits import DecodeLimits

CPU = torch.device("cpu")
WAYS = {"all": -1.0, "those that see something": quiet_stack.MOST_BUSY_INPUTS}
MULTIPLIER = 3.0
DEVIATION = 0.2


def descent_of(path: Path) -> Descent:
    """Return what looks for changes in a file of one network set."""
    symbols = decode_symbols(path.read_bytes(), DecodeLimits(max_seconds=1000))
    content, header = symbols.content, symbols.header
    counts, sets = content.class_counts, content.class_sets
    architecture = (context_of(header), synthesis_of(header))
    representation = Representation(counts, sets, *architecture, 0, CPU)
    planes = [plane.reshape(len(plane), -1) for plane in content.latents[0]]
    latents = torch.from_numpy(np.concatenate(planes, axis=1)).float()
    representation.latents = latents.clone().requires_grad_()
    networks = quantised_parameters(content.networks[0], CPU)
    representation.networks = [{name: v.requires_grad_() for name, v in networks.items()}]
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    # Where latents are never anything but 0, wishes hardly move either.
    wishes = latents + DEVIATION * noise * (latents.abs().mean(0) + 0.05).clamp(max=1)

    def distortion(indices: Tensor, rows: Tensor) -> Tensor:
        return 0.5 * (rows - wishes[indices]).square().sum(1)

    curvature = [torch.ones(latents.shape[1])]
    return Descent(representation, representation.networks, distortion, curvature, learning=True)


def main() -> None:
    """Print milliseconds of both ways for every file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--chunks", type=int, default=6, help="parts of a file that are looked at")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for path in arguments.files:
        descent = descent_of(path)
        parts = descent.chunks()[: arguments.chunks]
        num_images = sum(map(len, parts))
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        steps: dict[str, Tensor] = {}
        for _ in range(arguments.turns):
            for way, most in WAYS.items():
                quiet_stack.MOST_BUSY_INPUTS = most
                started = time.process_time()
                steps[way] = torch.cat([descent.moves(part, MULTIPLIER).step for part in parts])
                seconds[way].append(time.process_time() - started)
        medians = {way: 1000 * statistics.median(s) / num_images for way, s in seconds.items()}
        print(path.name, ", ".join(f"{way}: {ms:.2f} ms" for way, ms in medians.items()))
        first, second = steps.values()
        same = int(((first == second) & (first != 0)).sum())
        print(
            f"  {int((first != 0).sum())} and {int((second != 0).sum())} changes, {same} the same"
        )


if __name__ == "__main__":
    main()

"""How many images a network had better be given at once on a CPU: CPU milliseconds an image.

    OMP_NUM_THREADS=1 python benchmarks/speed/micro_batches.py --sides 32 128 --counts 4 8 32 64
    OMP_NUM_THREADS=1 python benchmarks/speed/micro_batches.py \
        --labeler examples/imagenette128-19k.ddc

A ConvNet sees random images in bfloat16 where that pays: forwards, as when it is tested; for the
gradients of the images, as losses on embeddings want them; and for those of its weights, as in
training. With `--labeler` it is the labeler of a file that sees the file's own images. All counts
take turns, and the best of their turns counts.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import ddcodec
from ddcodec import networks
from ddcodec.distill.trained.derivatives import LossDerivatives
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.networks import normalise, precision
from ddcodec.networks.compiling import compiled

CLASSES = 10
CPU = torch.device("cpu")
Work = Callable[[Tensor], object]


def convnet_work(side: int, width: int, is_compiled: bool) -> dict[str, Work]:
    """Return what a ConvNet is asked for, by what it is called."""
    bfloat16 = precision.bfloat16_pays(CPU)
    shape = (3, side, side)
    network = networks.build("convnet", shape, CLASSES, seed=0, network_width=width)
    features = network.requires_grad_(False).eval().features
    if is_compiled:
        features = compiled(features)

    def forwards(images: Tensor) -> object:
        with torch.no_grad(), precision.autocast(CPU, bfloat16):
            return features(images)

    def of_images(images: Tensor) -> object:
        images = images.detach().requires_grad_()
        with precision.autocast(CPU, bfloat16):
            seen = features(images)
        return torch.autograd.grad(seen.float().square().sum(), images)

    flat = FlatNetwork("convnet", shape, CLASSES, width, CPU)
    weights = flat.initial(0)
    derivatives = LossDerivatives(flat, bfloat16, is_compiled)

    def of_weights(images: Tensor) -> object:
        return derivatives.gradient(weights, images, torch.arange(len(images)) % CLASSES)

    return {"forwards": forwards, "images": of_images, "weights": of_weights}


def labeler_images(path: Path, count: int) -> tuple[Work, Tensor]:
    """Return the labeler of a file without its own parts of a batch, and images for it."""
    training_set = ddcodec.load(path)
    labeler = training_set.labeler
    if labeler is None:
        raise SystemExit(f"'{path}' has no labeler.")
    pixels = torch.as_tensor(training_set.images[:count])
    precision.LOOKED_AT_PIXELS = pixels.numel()
    return labeler, normalise(pixels, training_set.mean, training_set.std)


def milliseconds(work: Work, images: Tensor, counts: list[int], turns: int) -> list[float]:
    """Return CPU milliseconds an image for each number of images at once."""
    best = [float("inf")] * len(counts)
    for turn in range(turns + 1):
        for number, count in enumerate(counts):
            before = time.process_time()
            for part in torch.split(images, count):
                work(part)
            taken = 1000 * (time.process_time() - before) / len(images)
            if turn:  # The first compiles, and allocates.
                best[number] = min(best[number], taken)
    return best


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--counts", type=int, nargs="+", default=[4, 8, 16, 32, 64])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--labeler", type=Path, metavar="FILE.ddc")
    asked = parser.parse_args()
    table = Table("side", "work", *(f"{count} at once" for count in asked.counts))

    def add(side: int, name: str, work: Work, images: Tensor) -> None:
        taken = milliseconds(work, images, asked.counts, asked.turns)
        table.add_row(str(side), name, *(f"{each:.2f}" for each in taken))

    if asked.labeler is not None:
        labeler, images = labeler_images(asked.labeler, asked.images)
        add(images.shape[-1], "labeler", labeler, images)
    else:
        for side in asked.sides:
            images = torch.randn(asked.images, 3, side, side)
            for name, work in convnet_work(side, asked.width, asked.compiled).items():
                add(side, name, work, images)
    Console().print(table)


if __name__ == "__main__":
    main()

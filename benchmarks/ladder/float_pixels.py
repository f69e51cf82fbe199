"""Accuracy of float pixels that a loss moves: what a loss teaches where nothing is coded.

    python benchmarks/ladder/float_pixels.py cifar10 --data cifar10.tar.xz --loss tm \
        --experts experts --spc 10 --width 64 --steps 400 --judge 0 100 400 -o tm10

One rung of the ladder of docs/results/hard-labels.md. There are no latents, no rate and no file, so
that a gap to a published figure is the fault of loss, networks or data. Images are judged at the
named steps, on the validation part, by networks of the width of the loss's own. A run is kept in
its folder every minute and goes on from there.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets import Dataset, load_dataset, normalisation, split_validation
from ddcodec.datasets.parts import validation_part
from ddcodec.distill.losses import LOSSES, DistillationLoss, LossSettings
from ddcodec.distill.start.initial_images import PoolLook, choose_initial_images
from ddcodec.evaluation import (
    HeldOutImages,
    LabelledImages,
    TrainingOptions,
    accuracy,
    train_network,
)
from ddcodec.evaluation.judge import find_protocol
from ddcodec.networks import normalise

MOMENTUM = 0.5  # of MTT's descent on images
KEEP_SECONDS = 60.0
_OPTIMISERS: dict[str, Any] = {
    "sgd": lambda leaves: torch.optim.SGD(leaves, momentum=MOMENTUM),
    "adam": torch.optim.Adam,
}


@dataclass
class Rung:
    """A run: what is optimised, and by what.

    Attributes:
        images: float32 N×C×H×W, normalised; a leaf.
        labels: int64 N.
        loss: What moves them.
        optimiser: Of images and of what the loss learns.
        step: Steps done.
    """

    images: Tensor
    labels: Tensor
    loss: DistillationLoss
    optimiser: torch.optim.Optimizer
    step: int = 0

    def advance(self) -> float:
        """Take one step and return its loss."""
        self.optimiser.zero_grad()
        classes = self.loss.classes_for_step(self.step)
        rows = slice(None) if classes is None else torch.isin(self.labels, classes)
        value = self.loss(self.images[rows], self.labels[rows], self.step)
        value.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        return float(value.detach())

    def keep(self, path: Path) -> None:
        """Write all that the next step depends on."""
        state = {
            "images": self.images.detach(),
            "optimiser": self.optimiser.state_dict(),
            "loss": self.loss.state_dict(),
            "step": self.step,
        }
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def go_on(self, path: Path) -> None:
        """Continue from a file of `keep`."""
        state = torch.load(path, weights_only=True)
        with torch.no_grad():
            self.images.copy_(state["images"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.loss.load_state_dict(state["loss"])
        self.step = state["step"]


def start(arguments: argparse.Namespace, dataset: Dataset, part: NDArray[np.intp]) -> Rung:
    """Return a run before its first step: random real images of each class."""
    real, classes = dataset.train.images[part], dataset.train.labels[part]
    mean, std = normalisation(real)
    settings = LossSettings(
        mean=tuple(mean.tolist()), std=tuple(std.tolist()), num_classes=dataset.num_classes,
        seed=arguments.seed, network_width=arguments.width, pool=arguments.pool,
        experts=arguments.experts, classes_per_step=arguments.classes,
        options={name: _number(value) for name, value in arguments.option},
    )  # fmt: skip
    counts = np.full(dataset.num_classes, arguments.spc)
    look = PoolLook(real, classes, dataset.num_classes, torch.device("cpu"), _no_pool)
    chosen = choose_initial_images("random", classes, counts, arguments.seed, look)
    pixels = torch.from_numpy(np.ascontiguousarray(real[chosen]))
    images = normalise(pixels, settings.mean, settings.std).requires_grad_()
    loss = LOSSES[arguments.loss](real, classes, settings)
    groups: list[dict[str, Any]] = [{"params": [images], "lr": arguments.rate}]
    if loss.parameters():
        groups.append({"params": list(loss.parameters()), "lr": arguments.loss_rate})
    optimiser = _OPTIMISERS[arguments.optimiser](groups)
    return Rung(images, torch.from_numpy(classes[chosen].astype(np.int64)), loss, optimiser)


def _no_pool() -> NoReturn:
    raise SystemExit("random images need no pool")


def judge(rung: Rung, arguments: argparse.Namespace, dataset: Dataset) -> list[float]:
    """Return accuracies in per cent on the validation part, of a network for each seed."""
    part, _ = split_validation(dataset.train.labels)
    mean, std = (value.tolist() for value in normalisation(dataset.train.images[part]))
    protocol = replace(find_protocol(arguments.protocol), network_width=arguments.width)
    if arguments.learned_rate:
        protocol = replace(protocol, learning_rate=rung.loss.student_rate)  # type: ignore[attr-defined]
    training = LabelledImages(rung.images.detach(), rung.labels, mean, std)
    test = HeldOutImages.of(validation_part(dataset), mean, std)
    found = []
    for seed in arguments.seeds:
        network = train_network(
            training, dataset.num_classes, protocol, seed, "convnet", TrainingOptions("cpu")
        )
        found.append(accuracy(network, test))
    return found


def run(rung: Rung, arguments: argparse.Namespace, dataset: Dataset) -> None:
    """Take all steps, and print what networks learn from the images at the steps to judge."""
    kept, seconds = arguments.output / "rung.ckpt", 0.0
    losses: list[float] = []
    last = time.monotonic()
    while True:
        if rung.step in arguments.judge or rung.step == arguments.steps:
            line: dict[str, Any] = {"step": rung.step, "seconds": round(seconds)}
            line["loss"] = float(np.mean(losses[-20:])) if losses else None
            line |= {name: float(value) for name, value in rung.loss.state_dict().items()}
            line["accuracies"] = [round(value, 2) for value in judge(rung, arguments, dataset)]
            print(json.dumps(line), flush=True)
        if rung.step == arguments.steps:
            break
        before = time.monotonic()
        losses.append(rung.advance())
        seconds += time.monotonic() - before
        if time.monotonic() - last > KEEP_SECONDS:
            rung.keep(kept)
            last = time.monotonic()
    rung.keep(kept)


def _option(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def main() -> None:
    """Climb one rung."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data")
    parser.add_argument("--loss", choices=LOSSES, required=True)
    parser.add_argument("--spc", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--judge", type=int, nargs="*", default=[])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--experts")
    parser.add_argument("--pool")
    parser.add_argument("--classes", type=int, help="classes of a step")
    parser.add_argument("--option", type=_option, action="append", default=[])
    parser.add_argument("--optimiser", choices=_OPTIMISERS, default="sgd")
    parser.add_argument("--rate", type=float, default=1.0, help="of the images")
    parser.add_argument("--loss-rate", type=float, default=0.01, help="of what the loss learns")
    parser.add_argument("--protocol", default="standard")
    parser.add_argument("--learned-rate", action="store_true", help="judge by the loss's own rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="networks to judge by")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    dataset = load_dataset(arguments.dataset, arguments.data)
    part, _ = split_validation(dataset.train.labels)
    rung = start(arguments, dataset, part)
    kept = arguments.output / "rung.ckpt"
    if kept.exists():
        rung.go_on(kept)
    run(rung, arguments, dataset)


if __name__ == "__main__":
    main()

"""Whether images suit the networks they were made through alone, and how sure networks are of them.

    ddc pool cifar10 --data cifar10.tar.xz --count 4 --seed 1 -o others
    python benchmarks/ladder/by_heart.py FILE.ddc ... --data cifar10.tar.xz --pools pool others

The first pool is the one that files were made through (`ddc distill --pool pool`). For each pool:
the squared distance of class means of features, which `--loss dm` lowers, and what networks say of
single images as their training ended. Real images of the training part, some of each class, are the
measure. Renditions have no part in it.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

import ddcodec
from ddcodec.datasets import load_dataset
from ddcodec.datasets.base import rows_of_classes
from ddcodec.distill.trained.embedder import Embedder
from ddcodec.distill.trained.pool_views import Pool, PoolView
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.networks import augment, normalise

EMBEDDER = Embedder(torch.device("cpu"), bfloat16=False)
MOST_JUDGED = 1000
"""Images of a set that are judged one by one, spread evenly over it."""


@dataclass(frozen=True)
class Images:
    """A set to look at: uint8 N×C×H×W, and labels, int64 N."""

    name: str
    pixels: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Judgement:
    """What networks say of single images.

    Attributes:
        surprise: Mean cross-entropy of the label, in nats.
        hardest: The cross-entropy that a tenth of the images exceed.
        right: Share whose likeliest class is the label.
    """

    surprise: float
    hardest: float
    right: float


@torch.no_grad()
def mean_distance(images: Images, pool: Pool, every: int) -> float:
    """Return the squared distance of class means, averaged over classes and every n-th view."""
    distances = []
    for number in range(0, pool.num_views, every):
        view = pool.view(number)
        for label in sorted(set(images.labels.tolist())):
            mean = _class_mean(images.pixels[images.labels == label], pool, view)
            distances.append(float((mean - view.means[label]).square().sum()))
    return float(np.mean(distances))


def _class_mean(pixels: Tensor, pool: Pool, view: PoolView) -> Tensor:
    seen = augment.apply(normalise(pixels, pool.mean, pool.std), view.augmentation)
    return EMBEDDER.embed(view.network, seen, 0).mean(0)


@torch.no_grad()
def judgement(images: Images, pool: Pool) -> Judgement:
    """Return what the pool's networks say as their training ended, averaged over them."""
    rows = torch.linspace(0, len(images.labels) - 1, min(MOST_JUDGED, len(images.labels))).long()
    seen = normalise(images.pixels[rows], pool.mean, pool.std)
    labels = images.labels[rows]
    numbers = []
    for network in pool.last_networks():
        logits = network.classifier(EMBEDDER.embed(network, seen, 0))
        surprise = F.cross_entropy(logits, labels, reduction="none")
        right = (logits.argmax(1) == labels).float()
        numbers.append([float(surprise.mean()), float(surprise.quantile(0.9)), float(right.mean())])
    return Judgement(*(float(value) for value in np.mean(numbers, axis=0)))


def real_images(part: TrainingPart, count: int) -> Images:
    """Return the first images of each class, as the dataset orders them."""
    classes = rows_of_classes(part.labels.numpy(), part.num_classes)
    rows = np.concatenate([members[:count] for members in classes])
    pixels = torch.as_tensor(np.asarray(part.pixels[rows]))
    return Images(f"real images, {count} of each class", pixels, part.labels[rows].long())


def coded_images(path: str) -> Images:
    """Return the images of a `.ddc`."""
    training_set = ddcodec.load(path, renditions=1)
    labels = torch.as_tensor(np.asarray(training_set.labels)).long()
    return Images(Path(path).stem, torch.as_tensor(np.asarray(training_set.images)), labels)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="+", metavar="FILE.ddc")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data")
    parser.add_argument("--pools", nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--real", nargs="+", type=int, default=[500], metavar="N")
    parser.add_argument("--every", type=int, default=13, help="Look through every n-th view.")
    asked = parser.parse_args()
    part = TrainingPart.of(load_dataset(asked.dataset, asked.data))
    sets = [coded_images(path) for path in asked.files]
    sets += [real_images(part, count) for count in asked.real]
    table = Table("images", "pool", "distance", "cross-entropy", "exceeded by a tenth", "right, %")
    for folder in asked.pools:
        pool = Pool(Path(folder), torch.device("cpu"), {})
        for images in sets:
            said = judgement(images, pool)
            numbers = (mean_distance(images, pool, asked.every), said.surprise, said.hardest)
            cells = [f"{number:.2f}" for number in numbers]
            table.add_row(images.name, folder, *cells, f"{100 * said.right:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()

"""Accuracy of networks trained on uncoded real images or crops, by how they were chosen.

    python benchmarks/initial_images.py cifar10 --data cifar10.tar.xz --spc 162

Choices are compared on the validation tenth of the training images; the test images are not read.
"""

import argparse
import json

import numpy as np
import torch

from ddcodec.datasets import load_dataset, normalisation, split_validation
from ddcodec.distill.start.crop_choice import PACKS, CropChoice
from ddcodec.distill.start.initial_images import INITIALISERS, PoolLook, choose_initial_images
from ddcodec.distill.trained.automatic_pool import automatic_pool
from ddcodec.evaluation import evaluate


def main() -> None:
    """Print a line of JSON for each choice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data")
    parser.add_argument("--spc", type=int, required=True)
    names = [*INITIALISERS, *PACKS]
    parser.add_argument("--init", nargs="+", choices=names, default=names)
    parser.add_argument("--protocol", default="glance")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.dataset, arguments.data)
    training, validation = split_validation(dataset.train.labels)
    images, labels = dataset.train.images[training], dataset.train.labels[training]
    mean, std = normalisation(images)
    device = torch.device("cpu")
    look = PoolLook(
        images,
        labels,
        dataset.num_classes,
        device,
        lambda: automatic_pool(dataset, device, lambda progress: None),
    )
    counts = np.full(dataset.num_classes, arguments.spc)
    for name in arguments.init:
        if name in PACKS:
            chosen = CropChoice(images, labels, PACKS[name], 0, look.surprise)(counts)
        else:
            chosen = images[choose_initial_images(name, labels, counts, 0, look)]
        report = evaluate(
            chosen,
            np.repeat(np.arange(dataset.num_classes), counts),
            dataset.train.images[validation],
            dataset.train.labels[validation],
            (mean.tolist(), std.tolist()),
            arguments.protocol,
            arguments.seeds,
            num_classes=dataset.num_classes,
        )
        print(json.dumps({"init": name} | report.to_json()), flush=True)


if __name__ == "__main__":
    main()

"""Accuracy of networks trained on random real images, uncoded: what a file competes with.

    python benchmarks/random_real.py cifar10 --data cifar10.tar.xz --spc 162

The images are those that `ddc distill` with the same seed starts from.
"""

import argparse
import json

import numpy as np

from ddcodec.datasets import load_dataset
from ddcodec.distill.start.initial_images import choose_initial_images, no_look
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.evaluation import evaluate


def main() -> None:
    """Print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data")
    parser.add_argument("--spc", type=int, required=True)
    parser.add_argument("--protocol", default="quick")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.dataset, arguments.data)
    test = dataset.test
    if test is None:
        parser.error("this dataset has no test images")
    part = TrainingPart.of(dataset)
    labels = part.labels.numpy()
    counts = np.full(dataset.num_classes, arguments.spc)
    chosen = choose_initial_images("random", labels, counts, 0, no_look)
    report = evaluate(
        part.images.numpy()[chosen],
        labels[chosen],
        test.images,
        test.labels,
        (part.mean, part.std),
        arguments.protocol,
        arguments.seeds,
        num_classes=dataset.num_classes,
    )
    print(json.dumps(report.to_json()))


if __name__ == "__main__":
    main()

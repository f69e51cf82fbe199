"""Accuracy of networks trained on real images, uncoded: what a file competes with.

    python benchmarks/random_real.py cifar10 --data cifar10.tar.xz --spc 162
    python benchmarks/random_real.py cifar10 --data FILE --protocol muon --set updates=40000

Random images are those that `ddc distill` with the same seed starts from. Without `--spc` it is the
whole training part, which gives the ceiling of a dataset: no set of that part teaches more. `--set`
makes other students of a protocol, as in `labels.py`.
"""

import argparse
import json
import sys

import numpy as np
from labels import changed, judged_on

from ddcodec.datasets import load_dataset
from ddcodec.distill.start.initial_images import choose_initial_images, no_look
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.evaluation import PROTOCOLS, evaluate


def main() -> None:
    """Print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data")
    parser.add_argument("--spc", type=int, help="images of each class; all without it")
    parser.add_argument("--protocol", default="quick")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--split", choices=["test", "val"], default="test")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.dataset, arguments.data)
    test = judged_on(dataset, arguments.split)
    part = TrainingPart.of(dataset)
    labels = part.labels.numpy()
    chosen = np.arange(len(labels))
    if arguments.spc is not None:
        counts = np.full(dataset.num_classes, arguments.spc)
        chosen = choose_initial_images("random", labels, counts, 0, no_look)
    protocol = changed(PROTOCOLS[arguments.protocol], arguments.set)
    report = evaluate(
        part.images.numpy()[chosen],
        labels[chosen],
        test.images,
        test.labels,
        (part.mean, part.std),
        protocol,
        arguments.seeds,
        num_classes=dataset.num_classes,
        on_progress=lambda progress: print(progress, file=sys.stderr, flush=True),
    )
    print(json.dumps(report.to_json()))


if __name__ == "__main__":
    main()

"""Accuracy of networks trained on real images as WebP: what a file of as many bytes must beat.

    python benchmarks/coded_real.py cifar10 --data cifar10.tar.xz --bytes 100000 --protocol standard

It is the reference of `ddc eval --references coded`, without a file. Lines are added to the list
after every network; `benchmarks/measured/cifar10-real.jsonl` is one.
"""

import argparse
import json
from pathlib import Path

from ddcodec.cli.shared.console import ProgressReport
from ddcodec.cli.shared.freed_memory import keep_freed_memory
from ddcodec.cli.shared.training_progress import show_on
from ddcodec.datasets import default_cache_dir, load_dataset
from ddcodec.evaluation import EvaluationSettings
from ddcodec.evaluation.judge import find_protocol
from ddcodec.evaluation.references import References


def main() -> None:
    """Train a network for each budget and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data")
    parser.add_argument("--bytes", type=int, nargs="+", required=True, help="of all classes")
    parser.add_argument("--protocol", default="standard")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    keep_freed_memory()
    dataset = load_dataset(arguments.dataset, arguments.data)
    if dataset.test is None:
        parser.error("this dataset has no test images")
    references = References(dataset, dataset.test, "test", default_cache_dir())
    for budget_bytes in arguments.bytes:
        reference = references.coded_real(budget_bytes)
        for seed in arguments.seeds:
            with ProgressReport() as progress:
                settings = EvaluationSettings(
                    find_protocol(arguments.protocol), (seed,), dataset.num_classes,
                    device=arguments.device,
                    on_progress=show_on(progress, f"{budget_bytes} bytes of WebP, seed {seed}"),
                )  # fmt: skip
                report = references.report(reference, settings)
            line = {
                "file": "real images as WebP", "sha256": None, "file_bytes": budget_bytes,
                "bits_per_class": budget_bytes * 8 / dataset.num_classes,
                "images": sum(reference.counts), "classes": dataset.num_classes, "labels": "hard",
                "protocol": report.protocol, "split": "test", "column": "hard", "arch": report.arch,
                "seed": seed, "accuracy": report.accuracies[0], "updates": report.updates,
            }  # fmt: skip
            with arguments.output.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()

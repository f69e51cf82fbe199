"""The baseline *ship the model*: a ConvNet trained on the real images, coded to a budget.

    python benchmarks/baselines/ship_the_model.py cifar10 --data cifar10.tar.xz --bpc 10k -o s.json

Trains on the training part, chooses the steps of the weights and whether to fine-tune on the
validation part, writes the coded network beside the report, decodes it, and tests what was decoded
once. `ddc plot` draws the report if it lies in the folder of a sweep.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from shipped_model import (
    FineTuning,
    Steps,
    choose_steps,
    coded_weights,
    decode_network,
    encode_network,
    fine_tune,
    measure_sensitivities,
    widest,
)

from ddcodec.budget import Budget, bits_per_class, parse_bytes
from ddcodec.datasets import Dataset, ImageSplit, load_dataset
from ddcodec.datasets.parts import validation_part
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.evaluation import (
    HeldOutImages,
    LabelledImages,
    Protocol,
    TrainingOptions,
    accuracy,
    train_network,
)
from ddcodec.kept.seal import sealed_json
from ddcodec.kept.writing import write_atomically
from ddcodec.networks import Classifier

TUNING_SHARES = (0.985, 0.97, 0.95)
"""Of the budget, left to weights before fine-tuning, which makes them a little dearer."""


def main() -> None:
    """Train, code, decode, test and write the report."""
    arguments = _arguments()
    dataset = load_dataset(arguments.dataset, arguments.data)
    if dataset.test is None:
        raise SystemExit("this dataset has no test images")
    part = TrainingPart.of(dataset)
    budget_bytes = Budget(parse_bytes(arguments.bpc), dataset.num_classes).budget_bytes
    width = arguments.width or widest(
        budget_bytes, arguments.bits, part.image_shape, dataset.num_classes
    )
    protocol = Protocol(
        "ship the model", updates=arguments.updates, batch_size=64,
        learning_rate=arguments.learning_rate, network_width=width, networks=1,
    )  # fmt: skip
    training = LabelledImages(part.images, part.labels, part.mean, part.std)
    started = time.monotonic()
    is_read = arguments.trained is not None and arguments.trained.exists()
    network = _trained(training, dataset, protocol, arguments)
    trained_seconds = time.monotonic() - started
    validation = _as_seen(validation_part(dataset), part)
    tuning = FineTuning(arguments.fine_tuning, seed=arguments.seed)
    data, facts = code(network, budget_bytes, part, width, (training, validation), tuning)
    test = HeldOutImages.of(dataset.test, part.mean, part.std)
    tested = accuracy(decode_network(data), test)
    size = len(data)
    report = {
        "baseline": "ship the model",
        "dataset": dataset.name,
        "split": "test",
        "file_bytes": size,
        "bits_per_class": bits_per_class(size, dataset.num_classes),
        "bytes_per_class": size / dataset.num_classes,
        "protocol": f"{protocol.total_epochs(len(part.images)):.1f} epochs",
        "arch": f"convnet, width {width}",
        "num_weights": coded_weights(network),
        "bits_per_weight": 8 * size / coded_weights(network),
        "seeds": [arguments.seed],
        "accuracies": [tested],
        "mean": tested,
        "std": 0.0,
        "updates": arguments.updates,
        "learning_rate": arguments.learning_rate,
        "fine_tuning_updates": arguments.fine_tuning,
        "training_seconds": None if is_read else round(trained_seconds, 1),
        "seconds": round(time.monotonic() - started, 1),
        **facts,
    }
    write_atomically(data, arguments.output.with_suffix(".weights"))
    write_atomically(sealed_json(report), arguments.output)
    print(json.dumps(report, indent=1))


def code(
    network: Classifier,
    budget_bytes: float,
    part: TrainingPart,
    width: int,
    images: tuple[LabelledImages, LabelledImages],
    tuning: FineTuning,
) -> tuple[bytes, dict[str, float]]:
    """Return a network as at most so many bytes, and accuracies on the way there.

    Args:
        network: trained; is changed by fine-tuning.
        budget_bytes: of the file.
        part: what it was trained on.
        width: of its convolutions.
        images: training and validation images.
        tuning: how rounded weights are trained on; no updates leave them.
    """
    training, validation = images

    def encode(steps: Steps) -> bytes:
        return encode_network(network, steps, part.image_shape, width)

    sensitivities = measure_sensitivities(network, validation)
    rounded = encode(choose_steps(network, budget_bytes, sensitivities))
    facts = {
        "validation_unquantised": accuracy(network, validation),
        "validation_rounded": accuracy(decode_network(rounded), validation),
    }
    if not tuning.updates:
        return rounded, facts
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for share in TUNING_SHARES:
        network.load_state_dict(before)
        steps = choose_steps(network, share * budget_bytes, sensitivities)
        fine_tune(network, steps, training, tuning)
        tuned = encode(steps)
        if len(tuned) <= budget_bytes:
            break
    else:
        return rounded, facts
    facts["validation_fine_tuned"] = accuracy(decode_network(tuned), validation)
    better = facts["validation_fine_tuned"] >= facts["validation_rounded"]
    return (tuned if better else rounded), facts


def _trained(
    training: LabelledImages, dataset: Dataset, protocol: Protocol, arguments: argparse.Namespace
) -> Classifier:
    """Return the network, trained or read."""
    kept: Path | None = arguments.trained
    options = TrainingOptions(compiled=False, on_progress=_show)
    if kept is not None and kept.exists():
        # A protocol of one update builds the same network; its weights are then replaced.
        short = Protocol("build", updates=1, batch_size=4, network_width=protocol.network_width)
        network = train_network(training, dataset.num_classes, short, arguments.seed)
        network.load_state_dict(torch.load(kept, weights_only=True))
        return network
    network = train_network(
        training, dataset.num_classes, protocol, arguments.seed, options=options
    )
    if kept is not None:
        torch.save(network.state_dict(), kept)
    return network


def _show(update: int, updates: int, loss: float | None) -> None:
    if loss is not None and update % 500 == 0:
        print(f"update {update}/{updates}, loss {loss:.3f}", flush=True)


def _as_seen(split: ImageSplit, part: TrainingPart) -> LabelledImages:
    images, labels = torch.tensor(np.asarray(split.images)), torch.tensor(split.labels)
    return LabelledImages(images, labels, part.mean, part.std)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data")
    parser.add_argument("--bpc", required=True)
    parser.add_argument("--bits", type=float, default=4.0, help="bits a weight that width follows")
    parser.add_argument("--width", type=int, help="of the convolutions, in place of --bits")
    parser.add_argument("--updates", type=int, default=6000)
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--fine-tuning", type=int, default=500, help="updates after rounding")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trained", type=Path, help="keep the trained network here, or take it")
    parser.add_argument("-o", "--output", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()

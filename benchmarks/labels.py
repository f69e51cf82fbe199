"""What labels are worth: accuracy over bits per class of hard, soft and labeler files.

    python benchmarks/labels.py measure *.ddc --data cifar10.tar.xz -o labels.jsonl
    python benchmarks/labels.py draw labels.jsonl ship-10k.json --peers TM-RUO -o labels.png

`measure` trains a student for each file, kind of label, architecture and seed that the list does
not have yet, and adds a line for each; interrupted, it goes on where it was, also within a network.
`--set updates=3200 network_width=64` makes short runs to choose by, under a protocol name that says
so. `draw` puts beside the files what other methods leave out of their sizes, a float32 vector for
each image, and the reports of `benchmarks/baselines/ship_the_model.py`, each labeler alone, and
published points.

Lists behind docs/results.md are kept in `benchmarks/measured`: cifar10.jsonl of the test set and
imagenette128.jsonl, cifar10-tried.jsonl likewise of files that were not kept, cifar10-short.jsonl
of short runs on the validation part.
"""

import argparse
import hashlib
import json
from itertools import cycle, product
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from ddcodec.budget import bits_per_class
from ddcodec.cli.shared.console import ProgressReport
from ddcodec.cli.shared.freed_memory import keep_freed_memory
from ddcodec.cli.shared.options import named_number
from ddcodec.cli.shared.training_progress import show_on, unfinished_networks
from ddcodec.datasets import Dataset, load_dataset
from ddcodec.datasets.base import ImageSplit
from ddcodec.datasets.parts import validation_part
from ddcodec.evaluation import EvaluationSettings, LabelledImages, TestedOn, evaluate_labelled
from ddcodec.evaluation.candidates.candidate import Candidate
from ddcodec.evaluation.candidates.read import ReadOptions, read_candidate
from ddcodec.evaluation.judge import ALL, HARD, find_protocol, labeler_accuracy
from ddcodec.evaluation.preparation import prepare
from ddcodec.evaluation.protocols import Protocol
from ddcodec.kept.writing import write_atomically
from ddcodec.results.drawing import colour, draw_picture
from ddcodec.results.inspection import inspect_file
from ddcodec.results.peers import peers_of
from ddcodec.results.rate_utility import Published, draw_published, label_axes
from ddcodec.results.reading import decode_file
from ddcodec.results.runs import read_json

NAMES = {"hard": "hard labels", "soft": "soft labels", "labeler": "labels by a labeler"}
FLOAT_BITS = 32
_STYLES: tuple[dict[str, Any], ...] = ({"fmt": "o-"}, {"fmt": "^--"}, {"fmt": "v:"})


def measure(arguments: argparse.Namespace) -> None:
    """Train the students that are missing."""
    dataset = load_dataset(arguments.dataset, arguments.data)
    protocol = changed(find_protocol(arguments.protocol), arguments.set)
    split = judged_on(dataset, arguments.split)
    known = {_key(line) for line in _lines(arguments.output)}
    for path in arguments.files:
        options = ReadOptions(renditions=arguments.renditions)
        candidate = read_candidate(path, lambda: dataset, options)
        ready = prepare(candidate, dataset, split, protocol)
        training, test = ready.training, ready.test
        facts = _facts(path, candidate, training, test)
        columns = [column for column in arguments.columns if column == HARD or _is_richer(training)]
        # Every kind has one seed before any has two: what is there early is worth most.
        for seed, arch, column in product(arguments.seeds, arguments.arch, columns):
            way = {"protocol": protocol.name, "split": arguments.split}
            way |= {"column": column, "arch": arch, "seed": seed}
            if _key(facts | way) in known:
                continue
            seen = training.with_hard_labels() if column == HARD else training
            with ProgressReport() as progress, unfinished_networks() as unfinished:
                show = show_on(progress, f"{path.name}, {arch}, seed {seed}")
                settings = EvaluationSettings(
                    ready.protocol, (seed,), dataset.num_classes, arch, arguments.device,
                    on_progress=show, unfinished=unfinished,
                )  # fmt: skip
                report = evaluate_labelled(seen, test, settings)
                line = facts | way | {"accuracy": report.accuracies[0], "updates": report.updates}
                line |= {"seconds": round(report.seconds, 1), "device": arguments.device}
                _add(arguments.output, line)


def draw(arguments: argparse.Namespace) -> None:
    """Draw the curves of a list and what stands beside them."""
    way = {name: getattr(arguments, name) for name in ("arch", "split")}
    lines = [
        line
        for line in _lines(arguments.list)
        if way.items() <= line.items() and line["protocol"] in arguments.protocol
    ]
    if not lines:
        raise SystemExit(f"'{arguments.list}' has no such student of {arguments.arch}")
    ships = [read_json(path) for path in arguments.ships]
    peers = peers_of(arguments.dataset, tuple(arguments.peers)) if arguments.peers else []

    def paint(figure: Any) -> None:
        figure.set_size_inches(6.4, 4.0)
        axes = figure.add_subplot()
        # The protocol that is named first has full lines.
        for style, protocol in zip(cycle(_STYLES), arguments.protocol, strict=False):
            for number, mode in enumerate(NAMES):
                points = _points([line for line in lines if line["protocol"] == protocol], mode)
                if points:
                    bits, means, deviations = zip(*points, strict=True)
                    axes.errorbar(
                        bits, means, yerr=deviations, label=f"{NAMES[mode]}, {protocol}",
                        color=colour(number), markersize=3.5, capsize=2.5, **style,
                    )  # fmt: skip
        hidden = _points(
            [line for line in lines if line["protocol"] == arguments.protocol[0]],
            "hard",
            with_float_vectors=True,
        )
        if hidden:
            axes.plot(
                *zip(*((bits, mean) for bits, mean, _ in hidden), strict=True), "o:", mfc="none",
                color=colour(0), label="hard files + a float32 vector an image",
            )  # fmt: skip
        alone = sorted({(line["labeler_bits_per_class"], line["labeler_accuracy"])
                        for line in lines if line["labeler_accuracy"] is not None})  # fmt: skip
        if alone:
            axes.plot(*zip(*alone, strict=True), "s", color=colour(2), label="a labeler alone")
        if ships:
            pairs = sorted((ship["bits_per_class"], ship["mean"]) for ship in ships)
            axes.plot(*zip(*pairs, strict=True), "D--", color=colour(6), label="ship the model")
        if peers:
            draw_published(figure, axes, Published(peers, None))
        label_axes(axes)
        axes.set_title(f"{arguments.arch}, {arguments.split} set")
        axes.legend(loc="best", fontsize=7)

    suffix = arguments.output.suffix.lstrip(".").lower()
    write_atomically(draw_picture(paint, suffix), arguments.output)


def _facts(
    path: Path, candidate: Candidate, training: LabelledImages, test: TestedOn
) -> dict[str, Any]:
    """Return what is the same for all students of a file."""
    inspection = inspect_file(decode_file(path))
    labeler = sum(part.bits for part in inspection.parts if part.name == "labeler")
    count = inspection.header.num_classes
    return {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "file_bytes": inspection.file_bytes,
        "bits_per_class": inspection.bits_per_class,
        "images": inspection.header.num_images,
        "classes": count,
        "labels": training.label_mode,
        "renditions": candidate.renditions,
        "labeler_bits_per_class": labeler / count,
        "labeler_accuracy": labeler_accuracy(training, test),
    }


def _points(
    lines: list[dict[str, Any]], mode: str, with_float_vectors: bool = False
) -> list[tuple[float, float, float]]:
    """Return bits per class, mean and deviation of every file of a label mode."""
    column = HARD if mode == HARD else ALL
    files: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if line["labels"] == mode and line["column"] == column:
            files.setdefault(line["sha256"], []).append(line)
    points = []
    for members in files.values():
        accuracies, first = [line["accuracy"] for line in members], members[0]
        bits = first["bits_per_class"]
        if with_float_vectors:
            vectors = FLOAT_BITS * first["images"] * first["classes"]
            bits += bits_per_class(vectors / 8, first["classes"])
        points.append((bits, fmean(accuracies), pstdev(accuracies)))
    return sorted(points)


def changed(protocol: Protocol, settings: list[str]) -> Protocol:
    """Return a protocol with NAME=NUMBER settings of its own, which then stand in its name."""
    return protocol.changed(dict(map(named_number("updates=3000"), settings)))


def judged_on(dataset: Dataset, split: str) -> ImageSplit:
    """Return the test images, or by any other name the validation part."""
    images = dataset.test if split == "test" else validation_part(dataset)
    if images is None:
        raise SystemExit("this dataset has no test images")
    return images


def _is_richer(training: LabelledImages) -> bool:
    return training.label_mode != "hard"


def _key(line: dict[str, Any]) -> tuple[Any, ...]:
    names = ("sha256", "renditions", "protocol", "split", "column", "arch", "seed")
    return tuple(line[name] for name in names)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _add(path: Path, line: dict[str, Any]) -> None:
    text = json.dumps(line)
    print(text, flush=True)
    # Read anew: several of these may work on one list.
    written = "".join(json.dumps(known) + "\n" for known in _lines(path))
    write_atomically(f"{written}{text}\n".encode(), path)


def main() -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("files", type=Path, nargs="+")
    measuring.add_argument("--dataset", default="cifar10")
    measuring.add_argument("--data")
    measuring.add_argument("--protocol", default="tuned")
    measuring.add_argument("--set", nargs="+", default=[], metavar="NAME=NUMBER")
    measuring.add_argument("--columns", nargs="+", choices=[HARD, ALL], default=[HARD, ALL])
    measuring.add_argument("--arch", nargs="+", default=["convnet"])
    measuring.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    measuring.add_argument("--split", choices=["test", "val"], default="test")
    measuring.add_argument("--renditions", type=int, help="instead of as many as a file advises")
    measuring.add_argument("--device", default="cpu")
    measuring.add_argument("-o", "--output", type=Path, required=True)
    measuring.set_defaults(run=measure)
    drawing = commands.add_parser("draw")
    drawing.add_argument("list", type=Path)
    drawing.add_argument("ships", type=Path, nargs="*")
    drawing.add_argument("--dataset", default="cifar10")
    drawing.add_argument("--protocol", nargs="+", default=["tuned"])
    drawing.add_argument("--peers", nargs="*", default=[], help="names in results/peers.toml")
    drawing.add_argument("--arch", default="convnet")
    drawing.add_argument("--split", choices=["test", "val"], default="test")
    drawing.add_argument("-o", "--output", type=Path, required=True)
    drawing.set_defaults(run=draw)
    arguments = parser.parse_args()
    keep_freed_memory()
    arguments.run(arguments)


if __name__ == "__main__":
    main()

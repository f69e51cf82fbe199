"""Updates that a GPU repeats against updates that it is told launch by launch.

    python benchmarks/speed/replay.py examples/cifar10-3k-labeler.ddc --device cuda
    OMP_NUM_THREADS=1 python benchmarks/speed/replay.py examples/cifar10-10k-labeler.ddc \
        --compiled --device cpu --protocol patient

For each protocol: milliseconds an update of a student both ways, best of some turns, and the
largest difference of their losses. On a CPU both ways are the same, but for `--compiled`, which
compares compiled losses with eager ones instead; times are of the process there.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import torch

import ddcodec
from ddcodec.evaluation import PROTOCOLS, LabelledImages, TrainingOptions
from ddcodec.evaluation.students.training_run import TrainingRun
from ddcodec.networks import replay

COMPARED = 10
"""Updates whose losses are compared: warm-ups, the recording and repetitions."""

TOLD = 10**9
"""Warm-ups that never end: nothing is recorded."""

REPLAYED = {"repeated": (replay.WARM_UPS, False), "told": (TOLD, False)}
COMPILED = {"compiled": (replay.WARM_UPS, True), "eager": (replay.WARM_UPS, False)}
"""Warm-ups before anything is recorded, and whether losses are compiled, of each way."""


def main() -> None:
    """Print a line of JSON for each protocol."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--protocol", nargs="+", default=["tuned", "muon", "patient"])
    parser.add_argument("--arch", default="convnet")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--turns", type=int, default=4)
    arguments = parser.parse_args()
    training = _labelled(arguments.file)
    classes = int(training.labels.max()) + 1
    ways = COMPILED if arguments.compiled else REPLAYED
    clock = time.process_time if arguments.device == "cpu" else time.perf_counter
    for name in arguments.protocol:
        times, losses = {}, {}
        for way, (warm_ups, compiled) in ways.items():
            with patch.object(replay, "WARM_UPS", warm_ups):
                torch.manual_seed(0)
                options = TrainingOptions(device=arguments.device, compiled=compiled)
                run = TrainingRun(training, classes, PROTOCOLS[name], 0, arguments.arch, options)
                losses[way] = [float(run.update()) for _ in range(COMPARED)]
                turns = [
                    _milliseconds(run, arguments.updates, clock) for _ in range(arguments.turns)
                ]
            times[way] = round(min(turns), 2)
        pairs = zip(*losses.values(), strict=True)
        difference = max(abs(one - other) for one, other in pairs)
        print(json.dumps({"protocol": name, **times, "largest_difference": difference}), flush=True)


def _labelled(file: Path) -> LabelledImages:
    training_set = ddcodec.load(file)
    labeler = training_set.labeler
    return LabelledImages(
        training_set.images,
        training_set.labels,
        training_set.mean,
        training_set.std,
        labeler=labeler,
        stages=None if labeler is None else labeler.stages,
    )


def _milliseconds(run: TrainingRun, updates: int, clock: Callable[[], float]) -> float:
    """Return the time of an update; reading the last loss waits for all of them."""
    started = clock()
    for _ in range(updates):
        loss = run.update()
    float(loss)
    return 1000 * (clock() - started) / updates


if __name__ == "__main__":
    main()

"""Muon's step with the Gram matrix iterated, as it is, against the matrix iterated, as published.

    OMP_NUM_THREADS=1 python benchmarks/speed/muon.py --arch convnet vgg11 resnet18

For each network: milliseconds of CPU of a step both ways and of the gradients of a batch of 32
images of 32×32, and the largest difference of the weights after the step.
"""

import argparse
import json
import time
from collections.abc import Callable
from unittest.mock import patch

import torch
from torch import Tensor

from ddcodec import networks
from ddcodec.evaluation.protocols import PROTOCOLS
from ddcodec.evaluation.students.gradients import TrainingOptions, add_gradients, loss_function
from ddcodec.evaluation.students.optimisers import build_optimisers
from ddcodec.networks import muon


def main() -> None:
    """Print a line of JSON for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", nargs="+", default=["convnet"])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    images = torch.randn(arguments.batch, 3, 32, 32)
    labels = torch.arange(arguments.batch) % 10
    loss_of = loss_function(TrainingOptions(compiled=False), 0)
    for arch in arguments.arch:
        network = networks.build(arch, (3, 32, 32), 10, seed=0).train()
        optimisers = build_optimisers(network, PROTOCOLS["muon"])

        def gradients() -> None:
            add_gradients(loss_of, network, images, labels)  # noqa: B023 - called within the turn

        def step() -> None:
            for optimiser in optimisers:  # noqa: B023
                optimiser.step()

        gradients()
        start = {name: value.clone() for name, value in network.state_dict().items()}
        times: dict[str, list[float]] = {"gradients": [], "gram": [], "published": []}
        ends = []
        for _ in range(arguments.turns):
            times["gradients"].append(_milliseconds(gradients))
            times["gram"].append(_milliseconds(step))
            with patch.object(muon, "orthogonalised", published):
                times["published"].append(_milliseconds(step))
        for how in (muon.orthogonalised, published):
            network.load_state_dict(start)
            fresh = build_optimisers(network, PROTOCOLS["muon"])
            with patch.object(muon, "orthogonalised", how):
                fresh[0].step()
            ends.append(torch.cat([value.flatten() for value in network.state_dict().values()]))
        best = {name: round(min(values), 1) for name, values in times.items()}
        difference = float((ends[0] - ends[1]).abs().max())
        print(json.dumps({"arch": arch, **best, "largest_difference": difference}))


def published(matrix: Tensor) -> Tensor:
    """Iterate the matrix itself, as Jordan et al. 2024 do."""
    tall = matrix.shape[0] > matrix.shape[1]
    values = matrix.mT if tall else matrix
    values = values / (values.norm() + 1e-7)
    for _ in range(5):
        gram = values @ values.mT
        values = 3.4445 * values + (-4.7750 * gram + 2.0315 * gram @ gram) @ values
    result: Tensor = values.mT if tall else values
    return result


def _milliseconds(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


if __name__ == "__main__":
    main()

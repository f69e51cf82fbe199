"""Several networks of an evaluation trained at once, as one batched model, against one by one.

    OMP_NUM_THREADS=1 python benchmarks/speed/evaluation.py --networks 3

Weights of all networks are stacked (`torch.func.stack_module_state`) and one call of `vmap` sees
every network's own batch. Both ways make the same updates in the precision that the device is
fastest in; the losses they end at are printed, too. On one core of an AMD EPYC with bfloat16, other
jobs beside, three networks at once took 4.2 times as long as one by one (32 images of each at a
time), 1.7 times with 8 images at a time: evaluation trains them one by one.
"""

import argparse
import json
import time

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from ddcodec import networks
from ddcodec.networks import precision
from ddcodec.networks.classifier import Classifier


def main() -> None:
    """Print seconds for each update of all networks, and the ratio, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--part", type=int, default=32, help="images of a network at a time")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--updates", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    shape = (arguments.updates + 1, arguments.networks, arguments.batch)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(*shape, 3, 32, 32, generator=generator).to(device)
    labels = torch.randint(10, shape, generator=generator).to(device)
    made = [
        networks.build("convnet", (3, 32, 32), 10, seed=seed, network_width=arguments.width)
        .to(device)
        .train()
        for seed in range(arguments.networks)
    ]
    # Stacking copies the weights, so it comes before the others are trained.
    batched_seconds, batched_loss = _batched(made, images, labels, arguments.part)
    single_seconds, single_loss = _one_by_one(made, images, labels, arguments.part)
    report = {
        **vars(arguments),
        "threads": torch.get_num_threads(),
        "bfloat16": precision.bfloat16_pays(device),
        "one_by_one_seconds": single_seconds,
        "batched_seconds": batched_seconds,
        "batched_over_one_by_one": batched_seconds / single_seconds,
        "losses": [single_loss, batched_loss],
    }
    print(json.dumps(report, indent=2))


def _one_by_one(
    made: list[Classifier], images: Tensor, labels: Tensor, part: int
) -> tuple[float, float]:
    """Return seconds for each update of all networks, the first left out, and the last loss."""
    total = 0.0
    started = time.perf_counter()
    bfloat16 = precision.bfloat16_pays(images.device)
    for index, network in enumerate(made):
        optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
        for update in range(len(images)):
            if update == 1:
                _wait(images.device)
                started = time.perf_counter()
            optimiser.zero_grad()
            loss = 0.0
            for rows in torch.split(torch.arange(images.shape[2]), part):
                with precision.autocast(images.device, bfloat16):
                    logits = network(images[update, index, rows])
                found = F.cross_entropy(logits.float(), labels[update, index, rows])
                found = found * (len(rows) / images.shape[2])
                found.backward()  # type: ignore[no-untyped-call]
                loss += found.item()
            optimiser.step()
        _wait(images.device)
        total += time.perf_counter() - started
    return total / (len(images) - 1), loss


def _batched(
    made: list[Classifier], images: Tensor, labels: Tensor, part: int
) -> tuple[float, float]:
    """Return seconds for each update of all networks, the first left out, and the last loss."""
    weights, _ = stack_module_state(made)
    stacked = {name: weight.detach().clone() for name, weight in weights.items()}
    bfloat16 = precision.bfloat16_pays(images.device)

    def loss_of(named: dict[str, Tensor], seen: Tensor, targets: Tensor) -> Tensor:
        with precision.autocast(seen.device, bfloat16):
            logits = functional_call(made[0], named, (seen,))
        return F.cross_entropy(logits.float(), targets)

    step = vmap(grad_and_value(loss_of))
    optimiser = torch.optim.SGD(stacked.values(), lr=0.01, momentum=0.9)
    started = time.perf_counter()
    for update in range(len(images)):
        if update == 1:
            _wait(images.device)
            started = time.perf_counter()
        for weight in stacked.values():
            weight.grad = torch.zeros_like(weight)
        loss = 0.0
        for rows in torch.split(torch.arange(images.shape[2]), part):
            share = len(rows) / images.shape[2]
            gradients, found = step(stacked, images[update][:, rows], labels[update][:, rows])
            for name, weight in stacked.items():
                assert weight.grad is not None
                weight.grad += share * gradients[name]
            loss += share * float(found[-1])
        optimiser.step()
    _wait(images.device)
    return (time.perf_counter() - started) / (len(images) - 1), loss


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()

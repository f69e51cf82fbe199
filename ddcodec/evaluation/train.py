"""Train one network on a training set, and test it."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ddcodec import networks
from ddcodec.evaluation.gradients import TrainingOptions, add_gradients, loss_function
from ddcodec.evaluation.labelled_images import LabelledImages
from ddcodec.evaluation.optimisers import Optimisers, adamw_of, build_optimisers, learning_rate
from ddcodec.evaluation.protocols import Protocol
from ddcodec.evaluation.stage_matching import StageMatching
from ddcodec.evaluation.views import Views
from ddcodec.networks import Classifier, precision

PROGRESS_EVERY = 10  # updates
_TEST_CHUNK = {"cpu": 64, "cuda": 1024}


def train_network(
    training: LabelledImages,
    num_classes: int,
    protocol: Protocol,
    seed: int,
    arch: str = "convnet",
    options: TrainingOptions | None = None,
) -> Classifier:
    """Train a fresh network; a function of the arguments on one machine.

    Args:
        training: The training set; classes may be missing from it.
        num_classes: Outputs of the network.
        protocol: The recipe.
        seed: Fixes initial weights, order of images and augmentations.
        arch: A name that `ddcodec.networks.parse_arch` knows.
        options: How to compute; None for the defaults.

    Returns:
        The trained network in evaluation mode, on the device.

    Raises:
        DataError: The training set is unusable; see `LabelledImages.check`.
        RecipeError: The architecture is unknown or does not fit the images.
    """
    options = options or TrainingOptions()
    training.check(num_classes)
    device = torch.device(options.device)
    generator = _generator(seed)
    matched = protocol.all_labels and protocol.stage_weight > 0
    stages = training.stages if matched else None
    shown = training if stages is None else replace(training, labeler=None)
    views = Views(shown, num_classes, protocol, generator, device)
    N, (C, H, W) = training.num_images, views.images.shape[1:]
    width = protocol.network_width
    network = networks.build(arch, (C, H, W), num_classes, seed=seed, network_width=width)
    network = network.to(device).train()
    optimisers = build_optimisers(network, protocol)
    updates = protocol.total_updates(N)
    squares = H * W / 32**2
    loss_of = loss_function(options, updates * min(N, protocol.batch_size) * squares)
    with _repeatable(device, seed):
        if stages is not None:
            bfloat16 = options.computes_in_bfloat16
            matching = StageMatching(network, stages, views.images, protocol.stage_weight, bfloat16)
            loss_of = matching.loss
            optimisers = [*optimisers, adamw_of(matching.parameters(), protocol)]
        if options.on_progress:
            options.on_progress(0, updates, None)
        for update, rows in enumerate(_batches(N, protocol, generator)):
            images, targets = views.batch(rows)
            for optimiser in optimisers:
                optimiser.zero_grad()
            loss = add_gradients(loss_of, network, images, targets)
            _step(optimisers, learning_rate(protocol, update, updates))
            done = update + 1
            if options.on_progress and (done % PROGRESS_EVERY == 0 or done == updates):
                options.on_progress(done, updates, float(loss))
    return network.eval()


@torch.no_grad()
def accuracy(network: Classifier, test: LabelledImages) -> float:
    """Return the percentage of test images that a network classifies as labelled.

    Args:
        network: In evaluation mode, on any device.
        test: The test set.

    Raises:
        DataError: There are no images, or labels differ from them in number.
    """
    test.check(network.classifier.out_features)
    device = next(network.parameters()).device
    bfloat16 = precision.bfloat16_pays(device)
    chunk = _TEST_CHUNK.get(device.type, 256)
    parts = (torch.split(test.images, chunk), torch.split(test.labels, chunk))
    correct = 0
    for images, labels in zip(*parts, strict=True):
        seen = replace(test, images=images).normalised(device)
        with precision.autocast(device, bfloat16):
            predicted = network(seen).argmax(dim=1)
        correct += int((predicted.cpu() == labels.cpu()).sum())
    return 100.0 * correct / len(test.labels)


def _step(optimisers: Optimisers, rate: float) -> None:
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()


def _batches(num_images: int, protocol: Protocol, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the rows of every batch of a run; see `Protocol` for the two ways."""
    size = min(protocol.batch_size, num_images)
    if protocol.epochs is not None:
        for _ in range(protocol.epochs):
            yield from torch.split(torch.randperm(num_images, generator=generator), size)
        return
    pending = torch.empty(0, dtype=torch.int64)
    for _ in range(protocol.total_updates(num_images)):
        if len(pending) < size:
            pending = torch.cat([pending, torch.randperm(num_images, generator=generator)])
        yield pending[:size]
        pending = pending[size:]


@contextlib.contextmanager
def _repeatable(device: torch.device, seed: int) -> Iterator[None]:
    """Make training a function of the seed, dropout included; leave torch's random state be."""
    with (
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
    ):
        torch.random.manual_seed(seed)
        yield


def _generator(seed: int) -> torch.Generator:
    # Not the seed itself, which already fixes the weights: the two streams are to be unrelated.
    state = np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)

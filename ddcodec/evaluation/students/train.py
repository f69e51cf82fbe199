"""Train one network on a training set, and test it."""

import contextlib
from collections.abc import Iterator, Sequence

import torch

from ddcodec.evaluation.protocols import Protocol
from ddcodec.evaluation.students.gradients import TrainingOptions
from ddcodec.evaluation.students.held_out import TestedOn
from ddcodec.evaluation.students.labelled_images import LabelledImages
from ddcodec.evaluation.students.training_run import TrainingRun
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

    One that was interrupted and kept goes on where it was, and ends as if it had not been.

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
    kept = None
    if options.unfinished is not None:
        kept = options.unfinished.network(training, num_classes, protocol, seed, arch)
    with _repeatable(torch.device(options.device), seed):
        run = TrainingRun(training, num_classes, protocol, seed, arch, options)
        if kept is not None and (state := kept.load()) is not None:
            try:
                run.restore(state)
            except Exception:
                # A state that somebody made up fails in many ways, and half-way.
                kept.warn()
                torch.random.manual_seed(seed)
                run = TrainingRun(training, num_classes, protocol, seed, arch, options)
        if options.on_progress:
            options.on_progress(run.done, run.updates, None)
        while run.done < run.updates:
            loss = run.update()
            last = run.done == run.updates
            if options.on_progress and (run.done % PROGRESS_EVERY == 0 or last):
                options.on_progress(run.done, run.updates, float(loss))
            if kept is not None and (kept.is_due or (last and kept.is_kept)):
                kept.save(run.state())
    return run.finished_network()


def accuracy(network: Classifier, test: TestedOn) -> float:
    """Return the percentage of test images that a network classifies as labelled.

    Args:
        network: In evaluation mode, on any device.
        test: The test set, of which few images are in memory at a time where it allows that.

    Raises:
        DataError: There are no images, labels differ from them in number, or one cannot be read.
    """
    return accuracies([network], test)[0]


@torch.no_grad()
def accuracies(networks: Sequence[Classifier], test: TestedOn) -> list[float]:
    """Return what `accuracy` does for several networks on one device, reading images once."""
    if not networks:
        return []
    test.check(networks[0].classifier.out_features)
    device = next(networks[0].parameters()).device
    bfloat16 = precision.bfloat16_pays(device)
    correct = [0] * len(networks)
    for batch in test.batches(_TEST_CHUNK.get(device.type, 256)):
        seen = batch.normalised(device)
        for number, network in enumerate(networks):
            with precision.autocast(device, bfloat16):
                predicted = precision.looked_at(network, seen).argmax(dim=1)
            correct[number] += int((predicted.cpu() == batch.labels.cpu()).sum())
    return [100.0 * count / len(test.labels) for count in correct]


@contextlib.contextmanager
def _repeatable(device: torch.device, seed: int) -> Iterator[None]:
    """Make training a function of the seed, dropout included; leave torch's random state be."""
    with (
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
    ):
        torch.random.manual_seed(seed)
        yield

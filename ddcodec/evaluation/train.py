"""Train one network on a training set, and test it."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ddcodec import networks
from ddcodec.datasets.cache import default_cache_dir
from ddcodec.errors import DataError
from ddcodec.evaluation.protocols import Protocol
from ddcodec.networks import Classifier, augment, precision

PROGRESS_EVERY = 10  # updates
# Of 32×32 pixels. On a CPU compiling took 30 s of one core (5 s once the programs are kept) and
# then saved 0.2 to 0.5 ms an image (docs/results.md): it pays from 60,000 to 150,000 images on.
COMPILE_FROM_IMAGES = 250_000
MICRO_BATCH_PIXELS = 32 * 32 * 32
"""Pixels whose activations stay in the cache of a CPU; gradients of parts add up to the batch's."""

SMALLEST_MICRO_BATCH = 4
_TEST_CHUNK = {"cpu": 64, "cuda": 1024}

LossFunction = Callable[[Classifier, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class LabelledImages:
    """Images with hard labels, and how networks are to see them.

    Attributes:
        images: uint8 N×C×H×W.
        labels: int64 N.
        mean: Per channel, of pixels scaled to [0, 1].
        std: Per channel, of pixels scaled to [0, 1].
    """

    images: Tensor
    labels: Tensor
    mean: Sequence[float]
    std: Sequence[float]

    def check(self, num_classes: int) -> None:
        """Refuse what cannot be trained or tested on.

        Raises:
            DataError: There are no images, their labels differ in number, or one is not in
                0 … num_classes − 1.
        """
        if self.labels.ndim != 1 or len(self.labels) != len(self.images):
            raise DataError(
                f"{len(self.images)} images need as many labels, not {tuple(self.labels.shape)}."
            )
        if self.labels.is_floating_point():
            raise DataError("Labels must be integers; soft labels are not for this protocol.")
        if not len(self.labels):
            raise DataError("There are no images to train or test on.")
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= num_classes:
            raise DataError(f"Labels must lie in 0…{num_classes - 1}, not {low}…{high}.")


@dataclass(frozen=True)
class TrainingOptions:
    """How to compute, as opposed to what.

    Attributes:
        device: Where to train.
        compiled: Use `torch.compile`; None does where a compiler is found and the run is long
            enough to pay for it. Where compilation fails, training goes on without.
        bfloat16: Compute in bfloat16; None does where it pays.
        on_progress: Called now and then with (updates done, updates in all, last loss).
    """

    device: str = "cpu"
    compiled: bool | None = None
    bfloat16: bool | None = None
    on_progress: Callable[[int, int, float], None] | None = None


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
        arch: A key of `ddcodec.networks.NETWORKS`.
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
    images = networks.normalise(training.images.to(device), training.mean, training.std)
    labels = training.labels.to(device, torch.int64)
    N, C, H, W = images.shape
    width = protocol.network_width
    network = networks.build(arch, (C, H, W), num_classes, seed=seed, network_width=width)
    network = network.to(device).train()
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=protocol.learning_rate,
        momentum=protocol.momentum,
        weight_decay=protocol.weight_decay,
    )
    updates = protocol.total_updates(N)
    squares = H * W / 32**2
    loss_of = _loss_function(options, updates * min(N, protocol.batch_size) * squares)
    generator = _generator(seed)
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        for update, rows in enumerate(_batches(N, protocol, generator)):
            if update == updates // 2:
                optimizer.param_groups[0]["lr"] = 0.1 * protocol.learning_rate
            batch = images[rows.to(device)]
            if protocol.augment:
                batch = augment.apply(batch, augment.draw(generator, len(rows), siamese=False))
            optimizer.zero_grad()
            loss = _add_gradients(loss_of, network, batch.contiguous(), labels[rows.to(device)])
            optimizer.step()
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
        seen = networks.normalise(images.to(device), test.mean, test.std)
        with precision.autocast(device, bfloat16):
            predicted = network(seen).argmax(dim=1)
        correct += int((predicted.cpu() == labels.cpu()).sum())
    return 100.0 * correct / len(test.labels)


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


def _generator(seed: int) -> torch.Generator:
    # Not the seed itself, which already fixes the weights: the two streams are to be unrelated.
    state = np.random.SeedSequence([seed, 1]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)


def _loss_function(options: TrainingOptions, images_in_all: float) -> LossFunction:
    device = torch.device(options.device)
    bfloat16 = options.bfloat16
    if bfloat16 is None:
        bfloat16 = precision.bfloat16_pays(device)
    eager = _loss_bfloat16 if bfloat16 else _loss_float32
    compiled = options.compiled
    if compiled is None:
        compiled = images_in_all >= COMPILE_FROM_IMAGES and precision.compiler_found()
    return _with_fallback(eager) if compiled else eager


def _add_gradients(
    loss_of: LossFunction, network: Classifier, images: Tensor, labels: Tensor
) -> Tensor:
    """Add the gradients of a batch's mean loss to the network's; return the loss.

    On a CPU a few images at a time: no network here looks beyond the single image.
    """
    size = len(images)
    if images.device.type == "cpu":
        size = max(SMALLEST_MICRO_BATCH, MICRO_BATCH_PIXELS // images[0, 0].numel())
    total = torch.zeros((), device=images.device)
    parts = zip(torch.split(images, size), torch.split(labels, size), strict=True)
    for part, targets in parts:
        loss = loss_of(network, part, targets) * (len(part) / len(images))
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    return total


def _loss_float32(network: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(network(images), labels)


def _loss_bfloat16(network: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    with torch.autocast(images.device.type, torch.bfloat16):
        return F.cross_entropy(network(images).float(), labels)


def _with_fallback(eager: LossFunction) -> LossFunction:
    """Compile a loss, one program per batch shape; use the original once compilation fails."""
    _keep_programs()
    chosen: LossFunction = torch.compile(eager, dynamic=False)

    def loss(network: Classifier, images: Tensor, labels: Tensor) -> Tensor:
        nonlocal chosen
        try:
            return chosen(network, images, labels)
        except Exception:
            # A missing header, a broken compiler: anything goes wrong in many ways.
            if chosen is eager:
                raise
            chosen = eager
            return eager(network, images, labels)

    return loss


def _keep_programs() -> None:
    """Let compiled programs outlive the process, where nobody has said where they are to be."""
    with contextlib.suppress(DataError, OSError):
        folder = default_cache_dir() / "compiled"
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))

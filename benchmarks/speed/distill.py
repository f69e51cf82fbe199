"""Speed of joint distillation and of evaluation, against plain implementations kept here.

    python benchmarks/speed/distill.py joint cifar10 --data cifar10.tar.xz
    python benchmarks/speed/distill.py training [--compiled]
    python benchmarks/speed/distill.py derivatives [--compiled]

`joint`: steps of `ddc distill --loss dm` at 64 images per class, with the pool and with random
networks, against the same step written plainly: eager float32, a fresh ConvNetD3 of the same width,
256 real images of each class embedded without gradients, all synthetic images rendered and embedded
with gradients, Adam on everything. `training`: ConvNetD3-128 at batch 256 as `ddc eval` trains it,
against an eager float32 loop. `derivatives`: those that experts, pools and trajectory matching
take, of a ConvNetD3-64 and 100 images. Kinds take turns; each row is the median over all its turns.
The time is that of the process (`--clock cpu`, for a busy machine and one thread) or of the wall.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddcodec import networks
from ddcodec.codec.context.neighbours import all_neighbours
from ddcodec.codec.wavelet import synthesis as wavelet
from ddcodec.datasets import Dataset, load_dataset, normalisation, split_validation
from ddcodec.distill.distill import distill
from ddcodec.distill.latents.representation import Representation
from ddcodec.distill.losses.base import DEFAULT_NETWORK_WIDTH
from ddcodec.distill.rate.allocation import allocate
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running.progress import Progress, Supervision
from ddcodec.distill.trained.derivatives import LossDerivatives
from ddcodec.distill.trained.weights import FlatNetwork
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.evaluation import LabelledImages, Protocol, TrainingOptions, train_network
from ddcodec.networks import augment
from ddcodec.networks.classifier import Classifier
from ddcodec.networks.convnet import ConvNet

IMAGES_PER_CLASS, REAL_BATCH, TRAINING_BATCH = 64, 256, 256
DERIVED_WIDTH, DERIVED_BATCH = 64, 100
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}
Clock = Callable[[], float]


@dataclass(frozen=True)
class Timed:
    """Steps of one kind: seconds of each and images that each is about."""

    seconds: list[float]
    images: int


def plain_network(classes: int, width: int, shape: tuple[int, int, int], seed: int) -> Classifier:
    """Return a ConvNet as torch's own layers make it."""
    network = networks.build("convnet", shape, classes, seed=seed, network_width=width)
    assert isinstance(network, ConvNet)
    for block in network.blocks:
        assert isinstance(block, nn.Sequential)
        block[3] = nn.AvgPool2d(2)
    return network


def plain_rate_bits(representation: Representation, rows: Tensor) -> Tensor:
    """Return the bits of latents, all positions at once."""
    model, parameters = representation.context, representation.networks[0]
    seen = all_neighbours(model.context_id, model.width, model.planes)
    values = rows.t()
    table = torch.cat([values.new_zeros(1, len(rows)), values])
    hidden = F.embedding(torch.from_numpy(seen.index), table)
    magnitude = torch.from_numpy(seen.magnitude)[:, None, None]
    hidden = torch.where(magnitude, hidden.abs(), hidden).flatten(1)
    for layer in range(model.depth):
        weight, bias = (parameters[f"context.{layer}.{name}"] for name in ("weight", "bias"))
        hidden = (torch.addmm(bias[:, None], weight, hidden) + hidden).relu()
    bias = parameters["context.out.bias"][torch.from_numpy(seen.plane)]
    outputs = (parameters["context.out.weight"] @ hidden).view(2, *values.shape)
    loc, log2_scale = outputs + bias.t()[:, :, None]
    return LaplaceModel().rate_bits(values, loc, log2_scale).sum()


class PlainStep:
    """Distribution matching and rate, eager in float32, all classes at once."""

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        training, _ = split_validation(dataset.train.labels)
        self._images = torch.from_numpy(np.ascontiguousarray(dataset.train.images[training]))
        self._labels = torch.from_numpy(dataset.train.labels[training].astype(np.int64))
        self._mean, self._std = (part.tolist() for part in normalisation(self._images.numpy()))
        self._classes = dataset.num_classes
        self._shape = dataset.channels, dataset.height, dataset.width
        counts = torch.bincount(self._labels).numpy()
        plan = allocate(recipe, counts, self._shape, names_bytes=0)
        self._representation = Representation(
            plan.class_counts, plan.class_sets, plan.context, plan.synthesis, 0, torch.device("cpu")
        )
        self._parameters = [
            self._representation.latents,
            *self._representation.network_parameters(),
        ]
        self._optimiser = torch.optim.Adam(self._parameters, lr=1e-3)
        self._random = torch.Generator().manual_seed(0)
        self._number = 0

    def __call__(self) -> None:
        """Make one step."""
        self._number += 1
        width = DEFAULT_NETWORK_WIDTH
        network = plain_network(self._classes, width, self._shape, self._number)
        network.requires_grad_(False)
        representation = self._representation
        rows = representation.latents
        noise = torch.rand(rows.shape, generator=self._random) - 0.5
        images = representation.synthesis.render(representation.networks[0], rows + noise)
        mean, std = (torch.tensor(part)[:, None, None] for part in (self._mean, self._std))
        seen = ((256 * images - 0.5).clamp(0, 255) / 255 - mean) / std
        loss = torch.zeros(())
        for label in range(self._classes):
            drawn = augment.draw(self._random, 1, siamese=True)
            with torch.no_grad():
                real = network.features(augment.apply(self._real(label), drawn)).mean(0)
            own = augment.apply(seen[representation.labels == label], drawn)
            loss = loss + (network.features(own).mean(0) - real).square().sum()
        self._optimiser.zero_grad()
        total = 1000 * loss + plain_rate_bits(representation, rows + noise)
        total.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()

    def _real(self, label: int) -> Tensor:
        (members,) = torch.nonzero(self._labels == label, as_tuple=True)
        chosen = members[torch.randperm(len(members), generator=self._random)[:REAL_BATCH]]
        return networks.normalise(self._images[chosen], self._mean, self._std)


def real_steps(dataset: Dataset, recipe: Recipe, clock: Clock) -> Timed:
    """Time the joint steps of a whole run."""
    moments: list[float] = []

    def report(progress: Progress) -> None:
        if progress.phase == "joint":
            moments.append(clock())

    distill(dataset, recipe, Supervision(report))
    seconds = [after - before for before, after in zip(moments, moments[1:], strict=False)]
    # Half of the classes in a step, as many as fit 320 images; see distill/start/recipe_parts.py.
    return Timed(seconds[1:], min(320, IMAGES_PER_CLASS * dataset.num_classes))


def plain_steps(dataset: Dataset, recipe: Recipe, steps: int, clock: Clock) -> Timed:
    """Time plain steps, the first one apart."""
    step = PlainStep(dataset, recipe)
    wavelet.CHUNK_PIXELS, chunk = 1 << 40, wavelet.CHUNK_PIXELS
    step()
    seconds = []
    for _ in range(steps):
        started = clock()
        step()
        seconds.append(clock() - started)
    wavelet.CHUNK_PIXELS = chunk
    return Timed(seconds, IMAGES_PER_CLASS * dataset.num_classes)


def joint_kinds(arguments: argparse.Namespace) -> dict[str, Callable[[], Timed]]:
    """Return the kinds of joint steps to be timed."""
    dataset = load_dataset(arguments.dataset, arguments.data)
    clock, steps = CLOCKS[arguments.clock], arguments.steps

    def recipe(pool: str) -> Recipe:
        return Recipe(
            bytes_per_class=5000,
            images_per_class=IMAGES_PER_CLASS,
            pool=pool,
            fit_steps=8,
            joint_steps=steps,
        )

    return {
        "plain": lambda: plain_steps(dataset, recipe("random"), max(2, steps // 4), clock),
        "random networks": lambda: real_steps(dataset, recipe("random"), clock),
        "pool": lambda: real_steps(dataset, recipe("own"), clock),
    }


def noise_images() -> LabelledImages:
    """Return as many images as one batch has."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (TRAINING_BATCH, 3, 32, 32), dtype=np.uint8)
    labels = random.integers(0, 10, TRAINING_BATCH)
    return LabelledImages(
        torch.from_numpy(images), torch.from_numpy(labels), (0.5,) * 3, (0.3,) * 3
    )


def training_updates(compiled: bool, updates: int, clock: Clock) -> Timed:
    """Time the updates of `train_network`, which reports every tenth."""
    moments: list[float] = []
    options = TrainingOptions(compiled=compiled, on_progress=lambda *_: moments.append(clock()))
    protocol = Protocol("benchmark", updates=10 * (updates // 10 + 2), batch_size=TRAINING_BATCH)
    train_network(noise_images(), 10, protocol, 0, options=options)
    # The first report comes before the first update, which may compile.
    pairs = zip(moments[1:], moments[2:], strict=False)
    return Timed([(after - before) / 10 for before, after in pairs], TRAINING_BATCH)


def plain_training(updates: int, clock: Clock) -> Timed:
    """Time updates of a plain loop."""
    data = noise_images()
    network = plain_network(10, 128, (3, 32, 32), 0).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    images = networks.normalise(data.images, data.mean, data.std)
    random = torch.Generator().manual_seed(0)
    moments = []
    for _ in range(updates + 2):
        order = torch.randperm(len(images), generator=random)
        batch = augment.apply(images[order], augment.draw(random, len(order), siamese=False))
        loss = F.cross_entropy(network(batch), data.labels[order])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        moments.append(clock())
    pairs = zip(moments, moments[1:], strict=False)
    return Timed([after - before for before, after in pairs][1:], TRAINING_BATCH)


def training_kinds(arguments: argparse.Namespace) -> dict[str, Callable[[], Timed]]:
    """Return the kinds of training to be timed."""
    clock, updates = CLOCKS[arguments.clock], arguments.steps
    kinds: dict[str, Callable[[], Timed]] = {
        "plain": lambda: plain_training(max(2, updates // 4), clock),
        "eager": lambda: training_updates(False, updates, clock),
    }
    if arguments.compiled:
        kinds["compiled"] = lambda: training_updates(True, updates, clock)
    return kinds


def derivative_times(name: str, is_compiled: bool, calls: int, clock: Clock) -> Timed:
    """Time gradients or slopes, after one call that may compile."""
    stream = torch.Generator().manual_seed(0)
    network = FlatNetwork("convnet", (3, 32, 32), 10, DERIVED_WIDTH, torch.device("cpu"))
    weights = network.initial(0)
    images = torch.randn((DERIVED_BATCH, 3, 32, 32), generator=stream)
    labels = torch.randint(10, (DERIVED_BATCH,), generator=stream)
    derivatives = LossDerivatives(network, False, is_compiled)
    moments = []
    for _ in range(calls + 1):
        if name == "gradient":
            derivatives.gradient(weights, images, labels)
        else:
            derivatives.slope(weights, weights, images, labels)
        moments.append(clock())
    pairs = zip(moments, moments[1:], strict=False)
    return Timed([after - before for before, after in pairs], DERIVED_BATCH)


def derivative_kinds(arguments: argparse.Namespace) -> dict[str, Callable[[], Timed]]:
    """Return the kinds of derivatives to be timed."""
    clock, calls = CLOCKS[arguments.clock], arguments.steps
    kinds: dict[str, Callable[[], Timed]] = {}
    for name in ("gradient", "slope"):
        for is_compiled in (False, True)[: 1 + arguments.compiled]:
            title = f"{name} compiled" if is_compiled else name
            kinds[title] = partial(derivative_times, name, is_compiled, calls, clock)
    return kinds


KINDS = {"joint": joint_kinds, "training": training_kinds, "derivatives": derivative_kinds}


def rows(kinds: dict[str, Callable[[], Timed]], turns: int) -> Iterator[str]:
    """Yield a line for each kind, the plain one first."""
    timed: dict[str, list[Timed]] = {name: [] for name in kinds}
    for _ in range(turns):
        for name, measure in kinds.items():
            timed[name].append(measure())
    plain: tuple[float, float] | None = None
    for name, parts in timed.items():
        step = statistics.median(second for part in parts for second in part.seconds)
        speed = 1 / step, parts[0].images / step
        plain = plain or speed
        ratios = speed[0] / plain[0], speed[1] / plain[1]
        yield (
            f"{name:16} {1000 * step:8.0f} ms  {speed[0]:7.3f} steps/s ({ratios[0]:5.2f} x)  "
            f"{speed[1]:7.0f} images/s ({ratios[1]:5.2f} x)"
        )


def main() -> None:
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=KINDS)
    parser.add_argument("dataset", nargs="?", default="cifar10")
    parser.add_argument("--data")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall")
    parser.add_argument("--compiled", action="store_true")
    arguments = parser.parse_args()
    for line in rows(KINDS[arguments.what](arguments), arguments.turns):
        print(line, flush=True)


if __name__ == "__main__":
    main()

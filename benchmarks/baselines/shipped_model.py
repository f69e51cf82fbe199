"""The baseline *ship the model*: a trained ConvNet, its weights quantised and coded to a budget.

Steps between the values of a tensor may be any number although coded ones are powers of two: what
scales a convolution before a normalisation changes nothing, nor does what scales all logits. So the
budget is filled closely, and biases that a normalisation removes are not coded at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2, sqrt

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from weights_file import decode_weights, encode_weights

from ddcodec import networks
from ddcodec.codec.parameters import NUM_STEP_EXPONENTS, NetworkTensors, QuantizedTensor, quantize
from ddcodec.errors import BudgetError
from ddcodec.evaluation.students.labelled_images import LabelledImages
from ddcodec.networks import Classifier, augment, precision

ARCH = "convnet"
WIDTH_MULTIPLE = 8
VECTOR_EXPONENT = 7
"""Step 2^−7 of scales, shifts and the last bias, which are less than a hundredth of the weights."""

_PROBE_STEP = 0.5
"""Step, in deviations of a tensor, at which its sensitivity is measured."""

_PROBE_IMAGES = 1000
_PART = 32
"""Images that go through a network together."""

_BISECTIONS = 24
_CLASSIFIER = "classifier"

Steps = Mapping[str, float]
"""The distance of two values of each tensor with at least two axes, by name."""


@dataclass(frozen=True)
class FineTuning:
    """How rounded weights are trained on.

    Attributes:
        updates: of SGD with momentum 0.9, the learning rate falling linearly to 0.
        batch_size: images of each.
        learning_rate: of the first.
        seed: fixes order of images and augmentations.
    """

    updates: int
    batch_size: int = 64
    learning_rate: float = 0.002
    seed: int = 0


def widest(
    budget_bytes: float, bits_per_weight: float, image_shape: tuple[int, int, int], num_classes: int
) -> int:
    """Return the largest width, a multiple of 8, whose weights fit a budget at so many bits each.

    Raises:
        BudgetError: if not even the narrowest fits.
    """
    width = 0
    while True:
        wider = _fresh(image_shape, num_classes, width + WIDTH_MULTIPLE)
        if bits_per_weight * coded_weights(wider) > 8 * budget_bytes:
            break
        width += WIDTH_MULTIPLE
    if width == 0:
        raise BudgetError(
            f"{budget_bytes:,.0f} bytes do not hold a network of width {WIDTH_MULTIPLE} at "
            f"{bits_per_weight:g} bits a weight; raise the budget."
        )
    return width


def coded_weights(network: Classifier) -> int:
    """Return how many numbers of a network are coded."""
    return sum(network.state_dict()[name].numel() for name in _coded_names(network))


def choose_steps(
    network: Classifier, budget_bytes: float, sensitivities: Mapping[str, float]
) -> Steps:
    """Return the finest steps at which the coded network meets a budget.

    At high rates a bit more of each of n weights quarters their squared error, so that steps with
    Δ² ∝ n / sensitivity lose least (reverse water-filling, Cover and Thomas, section 10.3).

    Raises:
        BudgetError: if no steps meet it.
    """
    weights = _matrices(network)
    shape = {
        name: sqrt(weight.numel() / max(sensitivities[name], 1e-12))
        for name, weight in weights.items()
    }
    deviation = max(float(weight.std()) / shape[name] for name, weight in weights.items())
    fine, coarse = log2(deviation) - 12, log2(deviation) + 4
    if _size(network, shape, coarse) > budget_bytes:
        raise BudgetError(f"{budget_bytes:,.0f} bytes do not hold this network at any precision.")
    for _ in range(_BISECTIONS):
        middle = (fine + coarse) / 2
        if _size(network, shape, middle) > budget_bytes:
            fine = middle
        else:
            coarse = middle
    return {name: value * 2.0**coarse for name, value in shape.items()}


@torch.no_grad()
def measure_sensitivities(network: Classifier, validation: LabelledImages) -> dict[str, float]:
    """Measure by how much the loss rises for each tensor's squared step.

    Args:
        network: in evaluation mode.
        validation: images that it was not trained on; at most a thousand are used.

    Returns:
        By name, in nats a squared step, above 0.
    """
    weights = dict(network.state_dict())
    before = _loss(network, weights, validation)
    found = {}
    for name, weight in _matrices(network).items():
        step = _PROBE_STEP * float(weight.std())
        rounded = torch.round(weight / step) * step
        rise = _loss(network, {**weights, name: rounded}, validation) - before
        found[name] = max(rise, 1e-6) / step**2
    return found


def fine_tune(
    network: Classifier, steps: Steps, training: LabelledImages, tuning: FineTuning
) -> None:
    """Train a network in place on what its rounded weights do; gradients go straight through.

    Args:
        network: on the CPU or a GPU.
        steps: of the rounding.
        training: images of the training part.
        tuning: how long and how fast.
    """
    device = next(network.parameters()).device
    optimizer = torch.optim.SGD(network.parameters(), lr=tuning.learning_rate, momentum=0.9)
    generator = torch.Generator().manual_seed(tuning.seed)
    images = networks.normalise(training.images, training.mean, training.std)
    for update in range(tuning.updates):
        for group in optimizer.param_groups:
            group["lr"] = tuning.learning_rate * (1 - update / tuning.updates)
        rows = torch.randint(len(images), (tuning.batch_size,), generator=generator)
        drawn = augment.draw(generator, len(rows), siamese=False)
        batch = augment.apply(images[rows].to(device), drawn)
        labels = training.labels[rows].to(device)
        optimizer.zero_grad()
        for part, targets in zip(
            torch.split(batch, _PART), torch.split(labels, _PART), strict=True
        ):
            with precision.autocast(device, precision.bfloat16_pays(device)):
                logits = torch.func.functional_call(network, _rounded(network, steps), (part,))
            loss = F.cross_entropy(logits.float(), targets) * (len(part) / len(batch))
            loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def encode_network(
    network: Classifier, steps: Steps, image_shape: tuple[int, int, int], width: int
) -> bytes:
    """Return a network as bytes.

    Args:
        network: a `ConvNet` of default depth.
        steps: of its tensors.
        image_shape: (C, H, W) of the images it sees.
        width: of its convolutions.
    """
    facts = (*image_shape, network.classifier.out_features, width)
    return encode_weights(facts, _quantized(network, steps))


def decode_network(data: bytes) -> Classifier:
    """Return a network from its bytes, in evaluation mode on the CPU.

    Raises:
        FormatError: if they are damaged.
    """

    def shapes_of(facts: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        empty = _from_facts(facts)
        state = empty.state_dict()
        return {name: tuple(state[name].shape) for name in _coded_names(empty)}

    facts, tensors = decode_weights(data, shapes_of)
    network = _from_facts(facts)
    values = {
        name: torch.from_numpy(tensor.values.astype(np.float32)) for name, tensor in tensors.items()
    }
    state = {name: torch.zeros_like(old) for name, old in network.state_dict().items()}
    network.load_state_dict({**state, **values})
    return network.eval()


def _from_facts(facts: tuple[int, ...]) -> Classifier:
    channels, height, width, num_classes, network_width = facts
    return _fresh((channels, height, width), num_classes, network_width)


def _fresh(image_shape: tuple[int, int, int], num_classes: int, width: int) -> Classifier:
    return networks.build(ARCH, image_shape, num_classes, seed=0, network_width=width)


def _coded_names(network: Classifier) -> list[str]:
    removed = _removed_biases(network)
    return [name for name in network.state_dict() if name not in removed]


def _removed_biases(network: Classifier) -> set[str]:
    """Return the biases of convolutions that a normalisation by channel follows."""
    removed = set()
    for name, module in network.named_modules():
        if isinstance(module, nn.Sequential):
            children = list(module.named_children())
            for (key, first), (_, second) in zip(children, children[1:], strict=False):
                by_channel = isinstance(second, nn.GroupNorm) and (
                    second.num_groups == second.num_channels
                )
                if isinstance(first, nn.Conv2d) and by_channel:
                    removed.add(f"{name}.{key}.bias")
    return removed


def _matrices(network: Classifier) -> dict[str, Tensor]:
    return {name: weight for name, weight in network.state_dict().items() if weight.ndim > 1}


def _rounded(network: Classifier, steps: Steps) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = dict(network.named_parameters())
    for name, step in steps.items():
        weight = weights[name]
        weights[name] = weight + (torch.round(weight / step) * step - weight).detach()
    return weights


def _size(network: Classifier, shape: Steps, log2_scale: float) -> int:
    steps = {name: value * 2.0**log2_scale for name, value in shape.items()}
    return len(encode_weights((1 << 7,) * 5, _quantized(network, steps)))


def _quantized(network: Classifier, steps: Steps) -> NetworkTensors:
    state = {name: _array(value) for name, value in network.state_dict().items()}
    exponents = {
        name: int(np.clip(round(-log2(step)), 0, NUM_STEP_EXPONENTS - 1))
        for name, step in steps.items()
    }
    tensors: NetworkTensors = {}
    for name in _coded_names(network):
        if name in steps:
            integers = np.rint(state[name] / steps[name]).astype(np.int64)
            tensors[name] = QuantizedTensor(integers, exponents[name])
            continue
        values = state[name]
        if name == f"{_CLASSIFIER}.bias":
            # All logits are scaled alike.
            weight = f"{_CLASSIFIER}.weight"
            values = values * (2.0 ** -exponents[weight] / steps[weight])
        tensors[name] = quantize(values, VECTOR_EXPONENT)
    return tensors


def _array(values: Tensor) -> NDArray[np.float64]:
    return values.detach().cpu().double().numpy()


def _loss(network: Classifier, weights: Mapping[str, Tensor], images: LabelledImages) -> float:
    device = next(network.parameters()).device
    total = torch.zeros((), device=device)
    # Images may be sorted by class.
    every = -(-len(images.images) // _PROBE_IMAGES)
    seen, labels = images.images[::every], images.labels[::every]
    parts = zip(torch.split(seen, _PART), torch.split(labels, _PART), strict=True)
    for part, targets in parts:
        inputs = networks.normalise(part.to(device), images.mean, images.std)
        with precision.autocast(device, precision.bfloat16_pays(device)):
            logits = torch.func.functional_call(network, dict(weights), (inputs,))
        total += F.cross_entropy(logits.float(), targets.to(device), reduction="sum")
    return float(total) / len(labels)

"""Fit the context model of pixels: a linear prediction that gradients refine.

The rectifiers of the context network would cut the negative half of pixels off. Biases that lift
all inputs above zero let it pass, so that the network starts as the best linear prediction there
is, with one scale for each channel, and learns where to deviate from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi

import torch
from torch import Tensor

from ddcodec.codec.context.neighbours import all_neighbours
from ddcodec.codec.pixels import MID_GREY
from ddcodec.distill.latents.representation import Representation
from ddcodec.entropy.laplace import LARGEST_LOG2_SCALE, LaplaceModel

INITIAL_DEVIATION = 5e-4
"""Of the weights that start at nothing; enough to tell hidden units apart."""

RIDGE = 1e-3
LINEAR_IMAGES = 64
"""Images of the linear fit: two hundred thousand pixels of 32×32 for a few dozen numbers."""

CLIPPED_NORM = 30.0
"""Of the gradient of bits per pixel: a rare outlier under a narrow prediction may not rule."""

PULL_BITS = 0.1
"""Cost of an octave beyond the widest table, where the rate has no slope to lead back by."""

StepReport = Callable[[int, int, float], None]
"""(step, steps, estimated bits of all latents)"""


@dataclass(frozen=True)
class ContextFit:
    """How the context model of pixels is trained.

    Attributes:
        steps: gradient steps.
        batch_images: images in one.
        learning_rates: of weights, from and to, by half a cosine.
        bias_factor: rate of biases over that of weights, which see inputs of up to 128.
    """

    steps: int = 500
    batch_images: int = 8
    learning_rates: tuple[float, float] = (5e-4, 1e-5)
    bias_factor: float = 30.0


def fit_pixel_context(
    representation: Representation, fit: ContextFit, seed: int, report: StepReport
) -> None:
    """Train the context networks on integer latents, which stay as they are.

    Args:
        representation: networks are changed in place; one set.
        fit: settings.
        seed: of initial weights and of the order of images.
        report: called after every step.
    """
    generator = torch.Generator().manual_seed(seed)
    networks = representation.networks[0]
    latents = representation.latents.detach()
    _start_linear(representation, generator)
    weights = [value for name, value in networks.items() if name.endswith("weight")]
    biases = [value for name, value in networks.items() if name.endswith("bias")]
    groups = [{"params": weights}, {"params": biases}]
    optimiser = torch.optim.Adam(groups, lr=fit.learning_rates[0], betas=(0.9, 0.98))
    size = min(fit.batch_images, len(latents))
    order = torch.empty(0, dtype=torch.int64)
    for step in range(fit.steps):
        start, end = fit.learning_rates
        rate = end + (start - end) * (1 + cos(pi * step / fit.steps)) / 2
        for group, factor in zip(optimiser.param_groups, (1.0, fit.bias_factor), strict=True):
            group["lr"] = factor * rate
        if len(order) < size:
            order = torch.randperm(len(latents), generator=generator)
        rows, order = latents[order[:size].to(latents.device)], order[size:]
        bits, excess = _rate_and_excess(representation, rows)
        optimiser.zero_grad()
        ((bits + PULL_BITS * excess) / rows.numel()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights + biases, CLIPPED_NORM, error_if_nonfinite=True)
        optimiser.step()
        report(step + 1, fit.steps, float(bits.detach()) * len(latents) / size)


def _rate_and_excess(representation: Representation, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the bits of some latents, N × P, and by how many octaves scales exceed the tables."""
    flat = representation.context.estimate_flat(representation.networks[0], rows)
    bits = flat.rate_bits(LaplaceModel()).sum()
    return bits, (flat.log2_scale - LARGEST_LOG2_SCALE).relu().sum()


@torch.no_grad()
def _start_linear(representation: Representation, generator: torch.Generator) -> None:
    """Set the weights to the least-squares prediction of each latent from its inputs."""
    context, networks = representation.context, representation.networks[0]
    for name, value in networks.items():
        value.zero_()
        if name.endswith("weight") and "out" not in name:
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(INITIAL_DEVIATION * noise)
    networks["context.0.bias"].fill_(MID_GREY)
    prediction, residuals = _linear_prediction(representation)
    width = context.width
    networks["context.out.weight"][0] = prediction[:width].float()
    # What the lifted inputs add, the output takes off again.
    lifted = MID_GREY * prediction[:width].sum()
    networks["context.out.bias"][:, 0] = (prediction[width:] - lifted).float()
    widest = LARGEST_LOG2_SCALE - 0.5
    log2_scales = residuals.clamp(min=1e-3).log2().clamp(max=widest)
    networks["context.out.bias"][:, 1] = log2_scales.float()


def _linear_prediction(representation: Representation) -> tuple[Tensor, Tensor]:
    """Return K weights and a constant for each plane, and the mean residual of each plane."""
    context, latents = representation.context, representation.latents.detach()
    stride = max(1, len(latents) // LINEAR_IMAGES)
    values = latents[::stride][:LINEAR_IMAGES].t().double()
    seen = all_neighbours(context.context_id, context.width, context.planes)
    table = torch.cat([values.new_zeros(1, values.shape[1]), values])
    index = torch.from_numpy(seen.index).to(values.device)
    plane = torch.from_numpy(seen.plane).to(values.device)
    members = [plane == number for number in range(len(context.planes))]
    size = context.width + len(members)
    gram, moments = values.new_zeros(size, size), values.new_zeros(size)
    inputs = []
    for number, chosen in enumerate(members):
        own = table[index[:, chosen]].flatten(1)
        constants = own.new_zeros(len(members), own.shape[1])
        constants[number] = 1
        rows = torch.cat([own, constants])
        gram += rows @ rows.t()
        moments += rows @ values[chosen].flatten()
        inputs.append(rows)
    gram += RIDGE * torch.eye(size, dtype=gram.dtype, device=gram.device)
    prediction = torch.linalg.solve(gram, moments)
    residuals = [
        (values[chosen].flatten() - prediction @ rows).abs().mean()
        for chosen, rows in zip(members, inputs, strict=True)
    ]
    return prediction, torch.stack(residuals)

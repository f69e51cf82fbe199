"""Phase 3: a power-of-two step for every weight tensor, chosen by size and distortion.

Each tensor in turn takes the step with the smallest total of its own bits, the change in latent
bits (context networks) and λ times the change in squared error (upsampling and synthesis), all
others fixed; the paper (arXiv 2507.17221, "post-quantisation") searches the same grid under a
threshold on the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddcodec.codec.parameters import (
    NUM_STEP_EXPONENTS,
    NetworkTensors,
    coded_bits,
    quantize,
)
from ddcodec.codec.quantizer import StraightThrough
from ddcodec.distill.latents.representation import Parameters, Representation

SAMPLE_IMAGES = 96
SAMPLE_LATENTS = 1 << 18


@dataclass(frozen=True)
class _Sample:
    """Some images of one set, standing for all of them.

    Attributes:
        latents: rounded latents, N × P.
        images: what the unquantised networks make of them.
        weight: images of the set per image of the sample.
    """

    latents: Tensor
    images: Tensor
    weight: float


@torch.no_grad()
def quantise_networks(
    representation: Representation, error_weight_bits: float
) -> tuple[NetworkTensors, ...]:
    """Quantise the weights of every set.

    Args:
        representation: trained latents and weights.
        error_weight_bits: bits that one unit of squared error (images in 0 … 1, summed over
            pixels) is worth.
    """
    return tuple(
        _quantise_set(representation, index, error_weight_bits)
        for index in range(representation.num_sets)
    )


def _quantise_set(
    representation: Representation, set_index: int, error_weight_bits: float
) -> NetworkTensors:
    networks = {name: value.detach() for name, value in representation.networks[set_index].items()}
    sample = _sample(representation, set_index, networks)
    finest = NUM_STEP_EXPONENTS - 1
    chosen = {name: quantize(value.cpu().numpy(), finest) for name, value in networks.items()}
    current = dict(networks)
    for name, value in networks.items():
        in_context = name.startswith("context")
        best_cost = float("inf")
        best = current[name]
        for exponent in range(finest, -1, -1):
            tensor = quantize(value.cpu().numpy(), exponent)
            trial = torch.from_numpy(tensor.values).to(value)
            current[name] = trial
            cost = coded_bits(tensor)
            if in_context:
                cost += _rate_bits(representation, current, sample)
            else:
                cost += error_weight_bits * _squared_error(representation, current, sample)
            if cost < best_cost:
                best_cost, best, chosen[name] = cost, trial, tensor
            elif cost > 1.5 * best_cost:
                break
        current[name] = best
    return chosen


def _sample(representation: Representation, set_index: int, networks: Parameters) -> _Sample:
    members = (representation.image_sets == set_index).nonzero()[:, 0]
    indices = representation.some(members, SAMPLE_IMAGES, SAMPLE_LATENTS)
    rows = StraightThrough()(representation.latents.detach()[indices.to(representation.device)])
    images = representation.synthesis.render(networks, rows)
    return _Sample(rows, images, len(members) / len(indices))


def _rate_bits(representation: Representation, networks: Parameters, sample: _Sample) -> float:
    return sample.weight * float(representation.latent_bits(networks, sample.latents))


def _squared_error(representation: Representation, networks: Parameters, sample: _Sample) -> float:
    images = representation.synthesis.render(networks, sample.latents)
    return sample.weight * float((images - sample.images).square().sum())

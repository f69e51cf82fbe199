"""The first fit of a pyramid, whose latents no transform of the image can give: by gradients.

Latents are real numbers under soft rounding with noise (arXiv 2507.17221, initialisation) and
become integers at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ddcodec.codec.quantizer import SoftQuantizer
from ddcodec.distill.optimiser import LearningRates, Optimiser
from ddcodec.distill.rate_control import RateController
from ddcodec.distill.representation import Representation
from ddcodec.distill.utilities import Likeness

FIRST_MULTIPLIER = 12.0
"""λ at the start. Starting above the final rate costs quality that does not come back."""

WARMUP = 0.35
RATES = LearningRates(latents=(0.15, 0.015), networks=(1e-2, 1e-3))

StepReport = Callable[[int, float, float], None]
"""(step, estimated bits of all latents, error of an image)"""


def fit_by_gradients(
    representation: Representation,
    likeness: Likeness,
    steps: int,
    target_bits: float,
    generator: torch.Generator,
    report: StepReport,
) -> float:
    """Fit latents and networks to real images at a rate and round the latents.

    Args:
        representation: changed in place.
        likeness: the images to resemble.
        steps: gradient steps.
        target_bits: for all latents together.
        generator: source of the rounding noise.
        report: called after every step.

    Returns:
        λ at the end: bits that a unit of squared error is worth.
    """
    controller = RateController.for_steps(FIRST_MULTIPLIER, steps, warmup=WARMUP)
    optimiser = Optimiser(representation, RATES)
    for step in range(steps):
        hardness = step / steps
        quantizer = SoftQuantizer(0.3 - 0.2 * hardness, 2.0 - hardness, generator)
        indices = likeness.indices_for_step(step)
        rendering = representation.render(indices, quantizer)
        error = likeness(rendering, step)
        scale = representation.num_images / len(indices)
        bits = scale * float(rendering.rate_bits.detach())
        multiplier = controller.update(bits, target_bits)
        # Dividing by 1 + λ keeps the objective's scale whichever term leads.
        optimiser.step((multiplier * error + rendering.rate_bits) / (1 + multiplier), step / steps)
        report(step, bits, float(error.detach()) / len(indices))
    representation.latents.data.copy_(representation.rounded_latents())
    return controller.multiplier

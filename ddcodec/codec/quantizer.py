"""Rounding that lets gradients through: soft rounding with noise, and straight-through.

Soft rounding follows Agustsson & Theis 2020 (section 4.1); rounding before and after the noise, and
the Kumaraswamy noise that narrows as training proceeds, follow C3 (arXiv 2312.02753, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import tanh
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor


def soft_round(values: Tensor, temperature: float) -> Tensor:
    """Return a smooth staircase; temperature → 0 is rounding, → ∞ the identity."""
    floor = values.detach().floor()
    rest = values - floor - 0.5
    return floor + 0.5 + (rest / temperature).tanh() / (2 * tanh(0.5 / temperature))


def kumaraswamy_noise(values: Tensor, shape: float, generator: Generator) -> Tensor:
    """Return noise in −½ … ½ of the shape of `values`; shape 1 is uniform, 2 is peaked at 0."""
    import torch

    # The mode of Kumaraswamy(a, b) lies at one half for this b.
    b = (2**shape * (shape - 1) + 1) / shape
    uniform = torch.rand(values.shape, generator=generator, device=values.device)
    return (1 - (1 - uniform) ** (1 / b)) ** (1 / shape) - 0.5


@dataclass(frozen=True)
class SoftQuantizer:
    """Soft rounding with noise.

    Attributes:
        temperature: of the soft rounding.
        noise_shape: Kumaraswamy parameter, 1 (uniform) … 2.
        generator: source of the noise.
    """

    temperature: float
    noise_shape: float
    generator: Generator

    def __call__(self, latents: Tensor) -> Tensor:
        """Return noisy, softly rounded latents of the same shape."""
        rounded = soft_round(latents, self.temperature)
        noisy = rounded + kumaraswamy_noise(latents, self.noise_shape, self.generator)
        return soft_round(noisy, self.temperature)


class StraightThrough:
    """Hard rounding whose gradient is the identity."""

    def __call__(self, latents: Tensor) -> Tensor:
        """Return rounded latents of the same shape."""
        return latents + (latents.round() - latents).detach()

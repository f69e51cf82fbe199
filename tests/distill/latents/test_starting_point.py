"""The starting point: transforms of real images, rounded at a step that gives the rate."""

import numpy as np
import pytest
import torch
from distill.small_descent import small_start
from distill.tiny_dataset import tiny_dataset

from ddcodec.distill.latents.starting_point import (
    BITS_PER_SQUARED_STEP,
    fitting_step,
    principal_colours,
    rescale_steps,
    wavelet_drift,
)


def test_colours_are_orthonormal_and_ordered() -> None:
    """The first direction has the most variance, and grey pictures give grey as the first."""
    images = tiny_dataset().train.images
    colours = principal_colours(images)
    assert np.allclose(colours.T @ colours, np.eye(3))
    pixels = images.transpose(1, 0, 2, 3).reshape(3, -1).astype(float)
    variances = np.var(colours.T @ pixels, axis=1)
    assert variances[0] >= variances[1] >= variances[2]
    grey = np.repeat(images[:, :1], 3, axis=1)
    assert np.allclose(principal_colours(grey)[:, 0], 3**-0.5)


def test_step_follows_the_target() -> None:
    """Four times the step takes about two bits a coefficient off, and the step is monotone."""
    values = np.random.default_rng(0).laplace(0, 1, (200, 50)).astype(np.float32)
    steps = [fitting_step(values, [30, 20], bits * values.size) for bits in (4, 3, 2, 1)]
    assert steps == sorted(steps)
    assert steps[2] / steps[0] == pytest.approx(4, rel=0.15)


def test_more_bits_make_better_images() -> None:
    """The error of the starting point falls as its rate rises."""
    errors = []
    for bytes_per_image in (4, 16, 64):
        representation, likeness, _ = small_start(16 * 8 * bytes_per_image)
        error = likeness.distortion(representation.networks)
        errors.append(float(error(torch.arange(16), representation.latents).sum().detach()))
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]


def test_rescaling_keeps_the_images() -> None:
    """Finer steps on the same wishes change images by their rounding only, and λ with them."""
    representation, _, _ = small_start()
    networks = representation.networks[0]
    wishes = representation.latents.detach().clone()
    before = representation.synthesis.render(networks, wishes)
    multiplier = rescale_steps(representation, wishes, 0.125)
    after = representation.synthesis.render(networks, representation.latents)
    step = float(networks["transform.gains"].detach()[0])
    assert float((after - before).detach().square().mean()) < step**2
    assert multiplier == pytest.approx(BITS_PER_SQUARED_STEP / step**2, rel=1e-4)
    assert wavelet_drift(representation, 2 * multiplier) == pytest.approx(2, rel=1e-4)

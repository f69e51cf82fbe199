"""A small set of images as rounded wavelet latents, ready for coordinate descent."""

import numpy as np
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.wavelet.synthesis import WaveletSynthesis
from ddcodec.distill.latents.descent import Descent
from ddcodec.distill.latents.representation import Representation
from ddcodec.distill.latents.starting_point import start_from_transform
from ddcodec.distill.rate.utilities import Likeness


def small_start(
    target_bits: float = 16 * 8 * 15,
) -> tuple[Representation, Likeness, torch.Generator]:
    """Return sixteen images at a rate, their likeness to the real ones, and a generator."""
    images = tiny_dataset(per_class=8).train.images
    synthesis = WaveletSynthesis(2, (), 3, *images.shape[2:])
    context = ContextModel(3, 8, 1, synthesis.planes)
    counts, sets = np.array([8, 8]), np.array([0, 0])
    representation = Representation(counts, sets, context, synthesis, 0, torch.device("cpu"))
    start_from_transform(representation, images, target_bits)
    likeness = Likeness(representation, torch.from_numpy(images), 8, 0)
    return representation, likeness, torch.Generator().manual_seed(0)


def small_descent(
    representation: Representation, likeness: Likeness, generator: torch.Generator
) -> Descent:
    """Return the descent on what `small_start` returns."""
    networks = representation.networks
    curvature = likeness.curvature(representation, networks, generator)
    return Descent(representation, networks, likeness.distortion(networks), curvature)

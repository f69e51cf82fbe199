"""Rendering images of a representation."""

import numpy as np
import torch

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.wavelet.synthesis import WaveletSynthesis
from ddcodec.distill.latents.representation import Representation


def test_images_without_rate() -> None:
    """Leaving out the rate changes no image."""
    synthesis = WaveletSynthesis(1, (), 3, 4, 4)
    context = ContextModel(3, 8, 1, synthesis.planes)
    counts, sets = np.array([2, 3]), np.array([0, 1])
    representation = Representation(counts, sets, context, synthesis, 0, torch.device("cpu"))
    indices = torch.tensor([0, 3, 4])
    full = representation.render(indices, torch.round)
    bare = representation.render(indices, torch.round, with_rate=False)
    assert torch.equal(full.images, bare.images)
    assert float(full.rate_bits.detach()) > 0
    assert float(bare.rate_bits) == 0

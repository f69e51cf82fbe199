"""Rendering images of a representation."""

import numpy as np
import pytest
import torch

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.wavelet.synthesis import WaveletSynthesis
from ddcodec.distill.latents import representation as representations
from ddcodec.distill.latents.representation import Representation


def _five_images() -> Representation:
    """Return two images of one set and three of another, with 48 latents each."""
    synthesis = WaveletSynthesis(1, (), 3, 4, 4)
    context = ContextModel(3, 8, 1, synthesis.planes)
    counts, sets = np.array([2, 3]), np.array([0, 1])
    return Representation(counts, sets, context, synthesis, 0, torch.device("cpu"))


def test_images_without_rate() -> None:
    """Leaving out the rate changes no image."""
    representation = _five_images()
    indices = torch.tensor([0, 3, 4])
    full = representation.render(indices, torch.round)
    bare = representation.render(indices, torch.round, with_rate=False)
    assert torch.equal(full.images, bare.images)
    assert float(full.rate_bits.detach()) > 0
    assert float(bare.rate_bits) == 0


@pytest.mark.parametrize(("latents", "sizes"), [(48 * 2, [2, 2, 1]), (48 * 5, [5]), (1, [1] * 5)])
def test_parts_bound_the_latents(
    latents: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts keep the order and hold as many latents as allowed, but at least an image."""
    monkeypatch.setitem(representations.PART_LATENTS, "cpu", latents)
    parts = _five_images().parts(torch.tensor([4, 0, 3, 1, 2]))
    assert [len(part) for part in parts] == sizes
    assert torch.cat(parts).tolist() == [4, 0, 3, 1, 2]


def test_some_images_stand_for_all() -> None:
    """They lie at even distances, fewer the larger they are, and no fewer than eight."""
    representation = _five_images()
    everything = torch.arange(100)
    assert representation.some(everything, 20, 48 * 50).tolist() == list(range(0, 100, 5))
    assert representation.some(everything, 50, 48 * 20).tolist() == list(range(0, 100, 5))
    assert representation.some(everything, 50, 48).tolist() == list(range(0, 96, 12))
    assert representation.some(everything[:5], 50, 48).tolist() == [0, 1, 2, 3, 4]

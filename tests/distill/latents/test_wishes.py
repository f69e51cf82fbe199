"""Wishes: no worse than the integers they start from, and distances to them."""

import numpy as np
import pytest
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.synthesis import build_synthesis
from ddcodec.distill.latents.representation import Representation
from ddcodec.distill.latents.starting_point import start_from_transform
from ddcodec.distill.latents.wishes import Wishes, initial_wishes
from ddcodec.distill.rate.utilities import Likeness


def _start(synthesis_id: int) -> tuple[Representation, Likeness, torch.Generator]:
    images = tiny_dataset(per_class=6).train.images
    widths = (4,) if synthesis_id == 1 else ()
    synthesis = build_synthesis(synthesis_id, 3, widths, images.shape[1:])
    context = ContextModel(2 if synthesis_id == 1 else 3, 8, 1, synthesis.planes)
    device = torch.device("cpu")
    counts, sets = np.array([6, 6]), np.array([0, 0])
    representation = Representation(counts, sets, context, synthesis, 0, device)
    likeness = Likeness(representation, torch.from_numpy(images), 4, 0)
    if synthesis_id > 1:
        start_from_transform(representation, images, target_bits=12 * 8 * 10)
    else:
        representation.latents.data.mul_(8).round_()
    return representation, likeness, torch.Generator().manual_seed(0)


@pytest.mark.parametrize("synthesis_id", [1, 2, 3])
@pytest.mark.parametrize("stretch", [1.0, 6.0])
def test_wishes_are_never_worse_than_the_start(synthesis_id: int, stretch: float) -> None:
    """Even where columns overlap so much that plain Newton steps diverge, no image gets worse."""
    representation, likeness, generator = _start(synthesis_id)
    with torch.no_grad():
        for name, value in representation.networks[0].items():
            if name in ("transform.taps", "upsampling.taps"):
                value.add_(0.1 * (stretch - 1) * torch.rand(value.shape, generator=generator))
    everything = torch.arange(12)
    error = likeness.distortion(representation.networks)
    before = error(everything, representation.latents.detach())
    wishes = initial_wishes(representation, likeness, generator)
    after = error(everything, wishes.values)
    assert bool((after <= before).all())
    assert float(after.detach().sum()) < 0.8 * float(before.detach().sum())


def test_rescaled_wishes_keep_their_distances() -> None:
    """After the steps change, distances in pixels are what they were."""
    representation, likeness, generator = _start(2)
    wishes = initial_wishes(representation, likeness, generator)
    latents = representation.latents.detach()
    everything = torch.arange(12)
    before = wishes.distortion([])(everything, latents)
    wishes.rescale(1.7)
    after = wishes.distortion([])(everything, latents / 1.7)
    assert torch.allclose(before, after, rtol=1e-4)


def test_distance_to_wishes() -> None:
    """Half the weighted squared distance: ½ (2 · 3² + 5 · 1²) = 11.5."""
    representation, _, _ = _start(2)
    values = torch.zeros_like(representation.latents.detach())
    weights = torch.zeros(values.shape[1])
    weights[:2] = torch.tensor([2.0, 5.0])
    rows = values[:1].clone()
    rows[0, 0], rows[0, 1], rows[0, 2] = 3.0, -1.0, 100.0
    distortion = Wishes(representation, values, [weights]).distortion([])
    assert distortion(torch.tensor([0]), rows).tolist() == [11.5]

"""Landing: the really coded size ends just below the budget, from either side."""

import numpy as np
import pytest
import torch
from distill.small_descent import small_descent, small_start

from ddcodec.distill.landing.landing import LANDED, land_on_budget, rank_moves


def _size_bytes(latents: torch.Tensor) -> int:
    """Stand in for a coder: two bits for every step away from zero, and a header."""
    return 40 + int(latents.abs().sum() / 4)


@pytest.mark.parametrize("share", [0.5, 0.9, 1.1])
def test_size_lands_from_both_sides(share: float) -> None:
    """Whether latents are too many or too few, the size is within the budget and near it."""
    representation, likeness, generator = small_start()
    descent = small_descent(representation, likeness, generator)
    latents = representation.latents.data
    budget = round(share * _size_bytes(latents))
    size = land_on_budget(descent, latents, 300.0, _size_bytes, budget)
    assert size == _size_bytes(latents) <= budget
    assert torch.equal(latents, latents.round())
    assert size >= (LANDED if share < 1 else 0.95) * budget


def test_unreachable_budget_clears_the_finest_latents() -> None:
    """Where cheap changes do not suffice, fine latents go first and the file fits."""
    representation, likeness, generator = small_start()
    descent = small_descent(representation, likeness, generator)
    latents = representation.latents.data
    size = land_on_budget(descent, latents, 300.0, _size_bytes, 60)
    assert size <= 60
    assert not latents[:, : latents.shape[1] // 2].any()


@pytest.mark.parametrize("shrink", [True, False])
def test_moves_are_ranked_by_price(shrink: bool) -> None:
    """Changes that save bits have negative running totals, those that spend them positive ones."""
    representation, likeness, generator = small_start()
    descent = small_descent(representation, likeness, generator)
    ranked = rank_moves(descent, 50.0 if shrink else 5000.0, shrink)
    steps = np.diff(ranked.bits.numpy(), prepend=0.0)
    assert len(steps) > 10
    assert (steps < 0).all() if shrink else (steps > 0).all()
    assert set(ranked.steps.tolist()) <= {-1.0, 1.0}
    changed = ranked.applied(representation.latents.detach(), 7)
    assert int((changed != representation.latents.detach()).sum()) == 7

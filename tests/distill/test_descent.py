"""Coordinate descent: changes are made where their full price pays, and nowhere else."""

import torch
from distill.small_descent import small_descent, small_start

from ddcodec.distill.descent import image_curvature
from ddcodec.distill.representation import Representation
from ddcodec.distill.utilities import Likeness

EVERYTHING = torch.arange(16)


def _objective(representation: Representation, likeness: Likeness, multiplier: float) -> float:
    latents = representation.latents.detach()
    with torch.no_grad():
        bits = representation.latent_bits(representation.networks[0], latents)
        error = likeness.distortion(representation.networks)(EVERYTHING, latents).sum()
    return float(bits + multiplier * error)


def test_curvature_is_the_squared_norm_of_the_column() -> None:
    """Of a linear decoder the curvature by a latent is what finite differences give."""
    representation, _, generator = small_start()
    (curvature,) = image_curvature(representation, representation.networks, generator)
    latents = representation.latents.detach()
    networks = representation.networks[0]
    with torch.no_grad():
        flat = representation.synthesis.render(networks, latents[:1])
        for place in range(0, latents.shape[1], 17):
            moved = latents[:1].clone()
            moved[0, place] += 1
            column = representation.synthesis.render(networks, moved) - flat
            exact = 2 * float(column.square().sum())
            assert abs(float(curvature[place]) - exact) < 0.35 * exact


def test_predicted_changes_come_true() -> None:
    """A single change of a latent changes error and bits as foretold."""
    representation, likeness, generator = small_start()
    descent = small_descent(representation, likeness, generator)
    (part,) = descent.chunks()
    moves = descent.moves(part, multiplier=2000.0)
    latents = representation.latents.detach()
    error = likeness.distortion(representation.networks)
    with torch.no_grad():
        before = error(part, latents)
        for image in range(0, 16, 5):
            best = (moves.rate_bits + 2000.0 * moves.distortion)[image].argmin()
            assert moves.step[image, best] != 0
            moved = latents.clone()
            moved[image, best] += moves.step[image, best]
            real = float(error(part, moved)[image] - before[image])
            foretold = float(moves.distortion[image, best])
            assert real < 0
            assert abs(real - foretold) < 0.4 * abs(foretold)


def test_sum_of_bits_and_error_falls() -> None:
    """Passes lower what they are to lower, whichever term weighs more."""
    for multiplier in (20.0, 200.0, 5000.0):
        representation, likeness, generator = small_start()
        before = _objective(representation, likeness, multiplier)
        for _ in range(6):
            small_descent(representation, likeness, generator).descend(multiplier, generator)
        assert _objective(representation, likeness, multiplier) < before
        latents = representation.latents.detach()
        assert torch.equal(latents, latents.round())


def test_only_named_images_change() -> None:
    """Descent on some images leaves all others alone."""
    representation, likeness, generator = small_start()
    before = representation.latents.detach().clone()
    chosen = torch.tensor([1, 9, 15])
    small_descent(representation, likeness, generator).descend(5000.0, generator, chosen)
    changed = (representation.latents.detach() != before).any(dim=1)
    assert set(changed.nonzero()[:, 0].tolist()) <= set(chosen.tolist())
    assert changed.any()


def test_nothing_moves_where_nothing_pays() -> None:
    """Without any weight on the error no change makes latents dearer."""
    representation, likeness, generator = small_start()
    descent = small_descent(representation, likeness, generator)
    (part,) = descent.chunks()
    moves = descent.moves(part, multiplier=0.0)
    assert bool((moves.rate_bits[moves.step != 0] < 0).all())
    assert moves.total_bits > 0

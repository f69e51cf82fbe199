"""Coordinate descent: changes are made where their full price pays, and nowhere else."""

import torch
from distill.small_descent import small_descent, small_start

from ddcodec.distill.latents.descent import CONTEXT_SHARE, Descent, image_curvature
from ddcodec.distill.latents.representation import Representation
from ddcodec.distill.rate.utilities import Likeness
from ddcodec.entropy.laplace import LaplaceModel

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


def test_every_change_is_the_best_of_three() -> None:
    """Looking only at changes that could pay finds what looking at all of them finds."""
    representation, likeness, generator = small_start()
    networks = representation.networks[0]
    with torch.no_grad():
        networks["context.out.bias"] += torch.tensor([0.3, 1.0])
        networks["context.out.weight"] += 0.05
    multiplier = 300.0
    curvature = likeness.curvature(representation, representation.networks, generator)
    error = likeness.distortion(representation.networks)
    moves = Descent(representation, representation.networks, error, curvature).moves(
        EVERYTHING, multiplier
    )

    rows = representation.latents.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(error(EVERYTHING, rows).sum(), rows)
    flat = representation.context.estimate_flat(networks, rows)
    model = LaplaceModel()
    own = model.rate_bits(flat.values.detach(), flat.loc, flat.log2_scale)
    (others,) = torch.autograd.grad(own.sum(), rows)
    rates = [torch.zeros_like(others)]
    distortions = [torch.zeros_like(others)]
    for step in (-1.0, 1.0):
        changed = model.rate_bits(flat.values + step, flat.loc, flat.log2_scale)
        rates.append((changed - own).t().detach() + CONTEXT_SHARE * step * others)
        distortions.append(step * slope + 0.5 * curvature[0])
    costs = torch.stack(rates) + multiplier * torch.stack(distortions)
    best = costs.argmin(0)
    assert len(best.unique()) == 3
    assert torch.equal(moves.step, torch.tensor([0.0, -1.0, 1.0])[best])
    assert torch.allclose(moves.rate_bits, torch.stack(rates).gather(0, best[None])[0], atol=1e-4)
    found = torch.stack(distortions).gather(0, best[None])[0]
    assert torch.allclose(moves.distortion, found)


def test_learning_gives_the_gradient_of_the_bits() -> None:
    """What a descent adds to context networks is the derivative of the bits it reports."""
    representation, likeness, generator = small_start()
    networks = representation.networks[0]
    contexts = {name: value for name, value in networks.items() if name.startswith("context")}
    bits = representation.latent_bits(networks, representation.latents.detach())
    expected = torch.autograd.grad(bits, list(contexts.values()))
    error = likeness.distortion(representation.networks)
    curvature = likeness.curvature(representation, representation.networks, generator)
    descent = Descent(representation, [networks], error, curvature, learning=True)
    assert abs(descent.descend(300.0, generator) / float(bits.detach()) - 1) < 1e-5
    for value, gradient in zip(contexts.values(), expected, strict=True):
        assert value.grad is not None
        assert torch.allclose(value.grad, gradient, rtol=1e-3, atol=1e-3)
    assert all(value.grad is None for name, value in networks.items() if name not in contexts)

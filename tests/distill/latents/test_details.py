"""Details that a distillation loss is shown, as decoders will draw them."""

import torch
from distill.small_descent import small_start

from ddcodec.distill.latents.details import PLAIN_SHARE, drawn_details
from ddcodec.distill.trained.random_streams import random_stream

ALL = torch.arange(16)


def test_strength_and_reach() -> None:
    """Details are as large as those of a Laplace distribution cut off, by its own mean."""
    representation, _, _ = small_start()
    details = [drawn_details(representation, ALL, random_stream(0, 1, step)) for step in range(120)]
    drawn = torch.stack([detail for detail in details if detail is not None])
    latents = representation.latents.detach()
    flat = representation.context.estimate_flat(representation.networks[0], latents)
    scale = 2.0**0.625 * torch.exp2(flat.log2_scale.detach().t())
    reach = torch.where(latents == 0, 0.75, 0.3125)
    assert bool((drawn.abs() <= reach).all()) and bool((drawn[:, latents != 0].abs() > 0.3).any())
    expected = scale * (1 - torch.exp(-reach / scale))
    assert abs(float(drawn.abs().mean() / expected.mean()) - 1) < 0.02
    assert abs(float(drawn.mean())) < 0.01 * float(drawn.abs().mean())


def test_some_steps_are_plain() -> None:
    """The share of steps without details is what it is said to be."""
    representation, _, _ = small_start()
    one = torch.tensor([3])
    plain = sum(
        drawn_details(representation, one, random_stream(5, step)) is None for step in range(400)
    )
    assert abs(plain / 400 - PLAIN_SHARE) < 0.06


def test_details_follow_the_stream() -> None:
    """The same stream gives the same details, another one others."""
    representation, _, _ = small_start()
    first, again, other = (
        drawn_details(representation, ALL, random_stream(0, 1, step)) for step in (1, 1, 3)
    )
    assert first is not None and again is not None and other is not None
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_rendering_with_details() -> None:
    """Details move pixels, not the rate, and go to the images they were drawn for."""
    representation, _, _ = small_start()
    indices = torch.tensor([12, 2, 7])
    details = drawn_details(representation, indices, random_stream(0, 1, 1))
    plain = representation.render(indices, torch.round)
    shown = representation.render(indices, torch.round, details=details)
    assert torch.equal(plain.rate_bits, shown.rate_bits)
    assert not torch.allclose(plain.images, shown.images, atol=1e-3)
    assert details is not None
    rows = representation.latents.detach()[indices] + details
    assert torch.equal(
        representation.synthesis.render(representation.networks[0], rows), shown.images
    )

"""The gradient of a distillation loss by latents, with a bounded part of drawing them held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ddcodec.distill.latents.representation import Rendering, Representation, unquantized
from ddcodec.distill.rate.utilities import Distillation

HELD_LATENTS = 1 << 23
"""Images of as many are drawn once, and what the way back needs is held: about 120 bytes for each.
Of more, images are drawn again, part by part, once the loss has been there and back."""


@dataclass(frozen=True)
class LossGradient:
    """A loss and where it falls.

    Attributes:
        loss: a scalar.
        images: int64 B, the images it was asked for, in ascending order.
        rows: its gradient by their latents, B × P.
        own: its gradients by what it has optimised besides.
    """

    loss: float
    images: Tensor
    rows: Tensor
    own: list[Tensor]


def loss_gradient(
    representation: Representation,
    utility: Distillation,
    indices: Tensor,
    details: Tensor | None,
    step: int,
) -> LossGradient:
    """Return the loss of some images as integers show them, and its gradients.

    Args:
        representation: of the images.
        utility: the loss.
        indices: int64 B, which images, in ascending order.
        details: added to latents before they are shown, B × P, or None.
        step: of the phase, which loss and order follow.
    """
    latents = representation.latents

    def drawn(some: Tensor, some_details: Tensor | None) -> Rendering:
        return representation.render(some, unquantized, with_rate=False, details=some_details)

    own = list(utility.parameters)
    parts = representation.parts(indices)
    # A single part would hold as much the second time.
    if len(indices) * latents.shape[1] <= HELD_LATENTS or len(parts) == 1:
        loss = utility(drawn(indices, details), step)
        rows, *own_gradients = torch.autograd.grad(loss, [latents, *own])
        return _found(loss, [rows], own_gradients)

    sizes = [len(part) for part in parts]
    part_details = [None] * len(parts) if details is None else torch.split(details, sizes)
    pairs = list(zip(parts, part_details, strict=True))
    with torch.no_grad():
        images = torch.cat([drawn(*pair).images for pair in pairs])
    images.requires_grad_()
    loss = utility(Rendering(images, torch.zeros((), device=images.device), indices), step)
    slopes, *own_gradients = torch.autograd.grad(loss, [images, *own])
    pulled = [
        torch.autograd.grad(drawn(*pair).images, latents, slope)[0]
        for pair, slope in zip(pairs, torch.split(slopes, sizes), strict=True)
    ]
    return _found(loss, pulled, own_gradients)


def _found(loss: Tensor, sparse: list[Tensor], own: Sequence[Tensor]) -> LossGradient:
    parts = [part.coalesce() for part in sparse]
    images = torch.cat([part.indices()[0] for part in parts])
    rows = torch.cat([part.values() for part in parts])
    return LossGradient(float(loss.detach()), images, rows, list(own))

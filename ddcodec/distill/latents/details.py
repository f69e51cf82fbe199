"""Details as renditions have them, so that images are optimised as students will see them.

A decoder draws what rounding left open from the context model's own tables (docs/format.md, section
10). A loss that only sees images without these details spends bits on texture that students get for
nothing; so most steps of the joint phase show it renditions. These are drawn in float, at the same
strength and with the same bounds, and are never the renditions of the file.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ddcodec.codec.renditions import OTHER_REACH, SUBSTEPS, ZERO_REACH
from ddcodec.distill.latents.representation import Representation
from ddcodec.entropy.tables import SCALES_PER_OCTAVE
from ddcodec.format.student_recipe import USUAL_DETAIL

PLAIN_SHARE = 0.2
"""Share of steps without details: the first rendition of an image is the image itself, and whoever
decodes a file only once sees no other."""

_STRENGTH = 2.0 ** (USUAL_DETAIL / SCALES_PER_OCTAVE - 1)
_ALMOST_HALF = 0.4999


@torch.no_grad()
def drawn_details(
    representation: Representation, indices: Tensor, generator: torch.Generator
) -> Tensor | None:
    """Return details of some images' latents, B × P, or None in a step without.

    Args:
        representation: with integer latents.
        indices: which images, int64.
        generator: on the CPU; what it returns next decides everything.
    """
    if float(torch.rand((), generator=generator)) < PLAIN_SHARE:
        return None
    latents = representation.latents.detach()[indices.to(representation.device)]
    places = _uniforms(latents, generator) - 0.5
    # The inverse of a Laplace distribution's cumulative function, at scale 1.
    units = -places.sign() * torch.log1p(-2 * places.abs().clamp(max=_ALMOST_HALF))
    reach = torch.where(latents == 0, ZERO_REACH / SUBSTEPS, OTHER_REACH / SUBSTEPS)
    sets = representation.image_sets[indices]
    scales = torch.empty_like(latents)
    for number in torch.unique(sets).tolist():
        rows = (sets == number).nonzero()[:, 0].to(latents.device)
        networks = representation.networks[number]
        flat = representation.context.estimate_flat(networks, latents[rows])
        scales[rows] = _STRENGTH * torch.exp2(flat.log2_scale.t())
    return torch.minimum(torch.maximum(scales * units, -reach), reach)


def _uniforms(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return random numbers in 0 … 1 of a tensor's shape, drawn where it lives."""
    if like.device.type == "cpu":
        return torch.rand(like.shape, generator=generator)
    seed = int(torch.randint(1 << 62, (), generator=generator))
    there = torch.Generator(like.device).manual_seed(seed)
    return torch.rand(like.shape, generator=there, device=like.device)

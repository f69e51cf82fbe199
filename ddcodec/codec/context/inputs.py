"""What every latent sees, and who sees every latent, as places in tables of latents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ddcodec.codec.context.neighbours import all_neighbours
from ddcodec.format.planes import Plane


@dataclass(frozen=True)
class ContextInputs:
    """The inputs of all latents of an image.

    Attributes:
        rows: int64 width × P, rows of `table` that a latent sees.
        signed: int64, inputs that enter with their sign.
        seers: int64, the latents that see latent 0, then those that see latent 1, and so on.
        counts: int64 P, how many of them see each.
        starts: int64 P, where those that see each begin.
        plane: int64 P, the plane of each.
    """

    rows: Tensor
    signed: Tensor
    seers: Tensor
    counts: Tensor
    starts: Tensor
    plane: Tensor

    @property
    def width(self) -> int:
        """Inputs of a latent."""
        return len(self.rows)

    def seeing(self, values: Tensor) -> Tensor:
        """Return the latents of P × N with an input that is not 0, as flat places, ascending."""
        num_images = values.shape[1]
        latents, images = values.nonzero(as_tuple=True)
        counts = self.counts[latents]
        before = counts.cumsum(0) - counts
        steps = torch.arange(int(counts.sum()), device=values.device)
        found = self.seers[steps + (self.starts[latents] - before).repeat_interleave(counts)]
        sees = torch.zeros(values.numel(), dtype=torch.bool, device=values.device)
        sees[found * num_images + images.repeat_interleave(counts)] = True
        return sees.nonzero()[:, 0]

    def busy(self, values: Tensor, seeing: Tensor) -> Tensor:
        """Return the latents that see something or are not 0 themselves; see `seeing`."""
        is_busy = values.flatten() != 0
        is_busy[seeing] = True
        return is_busy.nonzero()[:, 0]


@lru_cache(maxsize=16)
def context_inputs(
    context_id: int, width: int, planes: tuple[Plane, ...], device: torch.device
) -> ContextInputs:
    """Return the inputs of a context model; see `neighbours.py`."""
    neighbours = all_neighbours(context_id, width, planes)
    index, magnitude = torch.from_numpy(neighbours.index), torch.from_numpy(neighbours.magnitude)
    num_latents = index.shape[1]
    seen = index.flatten() - 1
    pairs = seen * num_latents + torch.arange(num_latents).repeat(width)
    pairs = torch.unique(pairs[seen >= 0])
    seers = pairs % num_latents
    counts = torch.bincount(pairs // num_latents, minlength=num_latents)
    starts = counts.cumsum(0) - counts
    rows = index + (1 + num_latents) * magnitude[:, None]
    signed = (~magnitude).nonzero()[:, 0]
    plane = torch.from_numpy(neighbours.plane)
    found = (rows, signed, seers, counts, starts, plane)
    return ContextInputs(*(tensor.to(device) for tensor in found))


def table(values: Tensor) -> Tensor:
    """Return a row of zeros, which stands for everything outside, and the latents; both twice.

    The second time without signs, so that an input is a copy of a row.

    Args:
        values: P × N.
    """
    outside = values.new_zeros(1, values.shape[1])
    return torch.cat([outside, values, outside, values.abs()])


def gathered(rows: Tensor, places: Tensor) -> Tensor:
    """Return inputs, width × columns, by their places width × n along the first axis."""
    return rows.index_select(0, places.flatten()).view(len(places), -1)


def gradient_of_latents(table_gradient: Tensor, values: Tensor) -> Tensor:
    """Return the gradient by latents P × N of one by their table."""
    signed: Tensor
    unsigned: Tensor
    signed, unsigned = table_gradient.view(2, 1 + len(values), -1)[:, 1:]
    return signed + unsigned * values.sign()

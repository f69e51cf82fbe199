"""The last bytes: as many of the cheapest changes as bring the coded file to its budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from ddcodec.codec.stream import Content
from ddcodec.distill.latents.descent import Descent
from ddcodec.distill.running.run import Run
from ddcodec.errors import BudgetMissedError
from ddcodec.shares import shared

LANDED = 0.9985
"""Share of the budget at which landing is good enough."""

FULL = 0.97
"""Share from which on the rest of a budget is not worth another goal."""

MOST_ENCODINGS = 14
MOST_LOOKS = 8
REACH = 4.0
"""How far λ is moved to find changes that do not pay at its present value."""


@dataclass(frozen=True)
class RankedMoves:
    """Changes of single latents, the best trade first.

    Attributes:
        positions: in the flattened latents, int64.
        steps: −1 or 1.
        bits: running total of the estimated change in bits.
    """

    positions: Tensor
    steps: Tensor
    bits: Tensor

    def applied(self, latents: Tensor, count: int) -> Tensor:
        """Return latents with the first `count` changes made."""
        changed = latents.clone()
        changed.view(-1)[self.positions[:count]] += self.steps[:count]
        return changed


def landed(run: Run) -> Content:
    """Bring the coded size of a run to its budget, unless λ is fixed; return what is coded.

    Bits that the goal has no use for make images resemble the real ones.

    Raises:
        BudgetMissedError: if the file cannot be brought below the budget.
    """
    run.relabel()
    networks = run.fixed_networks()
    latents = run.representation.latents.data
    if run.fixed_multiplier:
        return run.content(latents)
    # Not the size of a file of zeros: where latents are large, a zero is what surprises.
    smallest = ceil(run.other_bits / 8)
    size = run.budget_bytes + 1
    if smallest <= run.budget_bytes:
        for goal in (run.goal, run.likeness):
            descent = run.descent(goal, networks)
            size = land_on_budget(
                descent, latents, run.multiplier, run.size_bytes, run.budget_bytes
            )
            if size >= FULL * run.budget_bytes:
                break
    if size > run.budget_bytes:
        raise _too_large(smallest, size, run.budget_bytes)
    return run.content(latents)


def _too_large(before_images: int, landed: int, budget_bytes: int) -> BudgetMissedError:
    """Say what stands in the way of a budget: the networks, or a fit that was too short."""
    if before_images > budget_bytes:
        return BudgetMissedError(
            f"The file takes {before_images} bytes before any image, above the budget of "
            f"{budget_bytes}; give a larger budget or a smaller decoder (--synthesis)."
        )
    return BudgetMissedError(
        f"The file could be brought down to {landed} bytes, not to the budget of {budget_bytes}; "
        "give a longer fit (--fit-steps), fewer images (--spc) or a larger budget."
    )


def land_on_budget(
    descent: Descent,
    latents: Tensor,
    multiplier: float,
    size_bytes: Callable[[Tensor], int],
    budget_bytes: int,
) -> int:
    """Change latents until the really coded size fills the budget; return that size.

    Where the size is below the budget and no change makes it larger, it stays there. Where all
    changes that save bits do not suffice, fine latents are cleared.

    Args:
        descent: finds the changes.
        latents: N × P integers as floats; changed in place.
        multiplier: λ they were found with.
        size_bytes: really encodes latents.
        budget_bytes: the largest allowed size.
    """
    size = size_bytes(latents)
    # Changes move a latent by one and disturb each other: look again from where they ended.
    reach = REACH
    for _ in range(MOST_LOOKS):
        if LANDED * budget_bytes <= size <= budget_bytes:
            return size
        shrink = size > budget_bytes
        ranked = rank_moves(descent, multiplier / reach if shrink else multiplier * reach, shrink)
        reach *= 2
        count, size = _bisect(ranked, latents, size, size_bytes, budget_bytes)
        latents.copy_(ranked.applied(latents, count))
    if size > budget_bytes:
        _clear_tail(latents, size_bytes, budget_bytes)
        size = size_bytes(latents)
    return size


def rank_moves(descent: Descent, multiplier: float, shrink: bool) -> RankedMoves:
    """Return all changes that save bits (`shrink`) or spend them, by error per bit."""

    def look(indices: Tensor) -> list[Tensor]:
        moves = descent.moves(indices, multiplier)
        wanted = (moves.rate_bits < 0) if shrink else (moves.rate_bits > 0) & (moves.distortion < 0)
        wanted &= moves.step != 0
        image, place = wanted.nonzero(as_tuple=True)
        positions = indices.to(image.device)[image] * moves.step.shape[1] + place
        rates = moves.rate_bits[wanted]
        return [positions, moves.step[wanted], rates, moves.distortion[wanted] / rates.abs()]

    looks = shared(descent.ranks, descent.chunks(), look, at_once=1)
    positions, steps, rates, prices = (torch.cat(parts) for parts in zip(*looks, strict=True))
    order = prices.argsort(stable=True)
    bits = rates[order].double().cumsum(0)
    return RankedMoves(positions[order], steps[order], bits)


def _bisect(
    ranked: RankedMoves,
    latents: Tensor,
    size: int,
    size_bytes: Callable[[Tensor], int],
    budget_bytes: int,
) -> tuple[int, int]:
    """Return how many changes to make and the size then, just within the budget where possible.

    Each count is proposed by what is missing and the estimated bits of the changes, scaled by how
    far the estimate was right before.
    """
    shrink = size > budget_bytes
    totals = torch.cat([ranked.bits.new_zeros(1), ranked.bits.abs()])
    few, many = 0, len(ranked.positions)
    best, count, best_size, trust = 0, 0, size, 1.0
    for _ in range(MOST_ENCODINGS):
        if few >= many:
            break
        missing_bits = 8 * ((LANDED + 1) / 2 * budget_bytes - size)
        wanted = float(totals[count]) + trust * (-missing_bits if shrink else missing_bits)
        proposed = int(torch.searchsorted(totals, wanted))
        before, count = count, min(max(proposed, few + 1), many)
        last_size, size = size, size_bytes(ranked.applied(latents, count))
        if _nearer(size, best_size, budget_bytes):
            best, best_size = count, size
        if LANDED * budget_bytes <= size <= budget_bytes:
            break
        if (size <= budget_bytes) == shrink:
            many = count - 1
        else:
            few = count
        moved_bits = 8 * abs(size - last_size)
        estimated_bits = abs(float(totals[count] - totals[before]))
        if moved_bits and estimated_bits:
            trust = min(max(estimated_bits / moved_bits, 0.25), 4.0)
    return best, best_size


def _nearer(size: int, best_size: int, budget_bytes: int) -> bool:
    """Return whether a size is the better one: within the budget, and then the larger."""
    if size <= budget_bytes:
        return best_size > budget_bytes or size > best_size
    return size < best_size and best_size > budget_bytes


def _clear_tail(latents: Tensor, size_bytes: Callable[[Tensor], int], budget_bytes: int) -> None:
    """Clear latents from the finest on until the file fits."""
    kept, dropped = 0, latents.shape[1]
    positions = torch.arange(latents.shape[1], 0, -1, device=latents.device)
    while dropped - kept > 1:
        count = (kept + dropped) // 2
        if size_bytes(latents * (positions <= count)) <= budget_bytes:
            kept = count
        else:
            dropped = count
    latents.mul_(positions <= kept)

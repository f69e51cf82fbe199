"""Shares: work on many items that processes divide, and whose results all of them get.

Every item is worked on by one process exactly as a single process would, and results come in the
order of the items. So what is made of them is the same, to the bit, for any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from ddcodec.ranks import Ranks

Item = TypeVar("Item")

_TYPES = (torch.uint8, torch.int8, torch.int64, torch.bfloat16, torch.float32, torch.float64)
_ALIGNED_BYTES = 8


def shared(
    ranks: Ranks,
    items: Sequence[Item],
    work: Callable[[Item], Sequence[Tensor]],
    at_once: int | None = None,
) -> Iterator[Sequence[Tensor]]:
    """Yield what some work makes of every item, in order; each process works on a share.

    Args:
        ranks: The processes, all of which call this with the same items.
        items: What to work on.
        work: Returns tensors; what is exchanged is handed out on the CPU.
        at_once: Items that a process works on between two exchanges, which bounds the memory;
            None for its whole share.

    Raises:
        RankLost: A process has ended.
    """
    if ranks.count == 1:
        yield from map(work, items)
        return
    stride = len(items) if at_once is None else at_once * ranks.count
    for first in range(0, len(items), max(stride, 1)):
        part = items[first : first + stride]
        own = [list(work(item)) for item in ranks.share(part)]
        given = [iter(results) for results in _exchanged(ranks, own)]
        for number in range(len(part)):
            yield next(given[number % ranks.count])


def shared_batches(
    ranks: Ranks, batches: Sequence[Tensor], function: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return what a function makes of batches, one after the other; each process takes a share.

    Gradients flow back to the batches, and are shared likewise, but not to what else the function
    depends on.

    Args:
        ranks: The processes, all of which call this, and go back through it, with equal tensors.
        batches: B × …, on one device; at least one.
        function: B × … → B × …, row by row.
    """
    if ranks.count == 1:
        return torch.cat([function(batch) for batch in batches])
    if not torch.is_grad_enabled():
        return _joined(shared(ranks, batches, lambda batch: [function(batch)]), batches[0])
    result: Tensor = _SharedBatches.apply(ranks, function, *batches)  # type: ignore[no-untyped-call]
    return result


class _SharedBatches(torch.autograd.Function):
    """Each process keeps what its own share needs to go back."""

    @staticmethod
    def forward(
        ctx: Any, ranks: Ranks, function: Callable[[Tensor], Tensor], *batches: Tensor
    ) -> Tensor:
        ctx.ranks, ctx.sizes, ctx.kept = ranks, [len(batch) for batch in batches], {}

        def work(number: int) -> list[Tensor]:
            with torch.enable_grad():
                leaf = batches[number].detach().requires_grad_()
                ctx.kept[number] = leaf, function(leaf)
            return [ctx.kept[number][1].detach()]

        return _joined(shared(ranks, range(len(batches)), work), batches[0])

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        slopes = torch.split(outer, ctx.sizes)

        def work(number: int) -> list[Tensor]:
            leaf, result = ctx.kept.pop(number)
            return list(torch.autograd.grad(result, leaf, slopes[number]))

        back = [one.to(outer.device) for (one,) in shared(ctx.ranks, range(len(slopes)), work)]
        return None, None, *back


def _joined(results: Iterable[Sequence[Tensor]], like: Tensor) -> Tensor:
    return torch.cat([one for (one,) in results]).to(like.device)


def _exchanged(ranks: Ranks, own: list[list[Tensor]]) -> list[list[list[Tensor]]]:
    """Return the lists of tensors that every process gives."""
    facts = torch.tensor(_facts(own), dtype=torch.int64)
    body = _bytes(own)
    sizes = torch.tensor([len(facts), len(body)])
    all_sizes = torch.stack(ranks.gathered(sizes))
    most_facts, most_bytes = all_sizes.amax(0).tolist()
    sent = torch.zeros(8 * most_facts + most_bytes, dtype=torch.uint8)
    sent[: 8 * len(facts)] = facts.view(torch.uint8)
    sent[8 * most_facts :][: len(body)] = body
    return [
        _lists(given[: 8 * count].view(torch.int64).tolist(), given[8 * most_facts :])
        for given, (count, _) in zip(ranks.gathered(sent), all_sizes.tolist(), strict=True)
    ]


def _facts(lists: list[list[Tensor]]) -> list[int]:
    """Return how many lists there are, how long each is, and the types and shapes in it."""
    facts = [len(lists)]
    for tensors in lists:
        facts.append(len(tensors))
        for tensor in tensors:
            facts += [_TYPES.index(tensor.dtype), tensor.ndim, *tensor.shape]
    return facts


def _bytes(lists: list[list[Tensor]]) -> Tensor:
    parts = [torch.empty(0, dtype=torch.uint8)]
    for tensor in (tensor for tensors in lists for tensor in tensors):
        parts.append(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8))
        parts.append(torch.zeros(-len(parts[-1]) % _ALIGNED_BYTES, dtype=torch.uint8))
    return torch.cat(parts)


def _lists(facts: list[int], body: Tensor) -> list[list[Tensor]]:
    """Return what `_facts` and `_bytes` were made of."""
    told, position = iter(facts), 0
    lists: list[list[Tensor]] = []
    for _ in range(next(told)):
        lists.append([])
        for _ in range(next(told)):
            kind, ndim = _TYPES[next(told)], next(told)
            shape = [next(told) for _ in range(ndim)]
            size = kind.itemsize * int(torch.Size(shape).numel())
            part = body[position : position + size].view(kind).view(shape)
            lists[-1].append(part)
            position += size + -size % _ALIGNED_BYTES
    return lists

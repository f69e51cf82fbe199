"""Work that is shared out: the results of one process, whatever the number of them."""

import pytest
import torch
from threads_as_ranks import together
from torch import Tensor

from ddcodec.ranks import RankLost, Ranks
from ddcodec.shares import shared, shared_batches


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("at_once", [None, 1, 2])
def test_results_in_order(count: int, at_once: int | None) -> None:
    """Tensors of any shape and type come back as they were, in the order of the items."""
    made: list[int] = []

    def work(number: int) -> list[Tensor]:
        made.append(number)
        return [
            torch.full((number % 3, 2), number / 7).t(),
            torch.tensor(number / 3, dtype=torch.float64),
            torch.arange(number, dtype=torch.int8),
            torch.tensor([-0.0, float("nan"), 1e-45]).to(torch.bfloat16),
        ][: 1 + number]

    def all_of(ranks: Ranks) -> list[list[Tensor]]:
        return [list(one) for one in shared(ranks, range(5), work, at_once)]

    (expected,) = together(1, all_of)
    assert made == [0, 1, 2, 3, 4]
    for given in together(count, all_of):
        assert [len(one) for one in given] == [1, 2, 3, 4, 4]
        for one, wanted in zip(given, expected, strict=True):
            torch.testing.assert_close(one, wanted, rtol=0, atol=0, equal_nan=True)
    # Nobody works on what another does.
    assert sorted(made[5:]) == [0, 1, 2, 3, 4]


def test_nothing_to_share() -> None:
    """No items are no results, and no exchange."""
    assert together(2, lambda ranks: list(shared(ranks, [], lambda item: []))) == [[], []]


def test_one_exchange_holds_a_bounded_part() -> None:
    """With one item at once two processes never hold more than two results."""

    def sizes(ranks: Ranks) -> list[int]:
        list(shared(ranks, range(6), lambda item: [torch.zeros(1000, dtype=torch.uint8)], 1))
        return ranks.sizes  # type: ignore[attr-defined, no-any-return]

    # Three rounds: how long what follows is, then a list of one tensor of 1,000 bytes.
    assert together(2, sizes) == [[16, 40 + 1000] * 3] * 2


def _back_and_forth(ranks: Ranks) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(11, 3, 6, 6, generator=generator).requires_grad_()
    kernels = torch.rand(5, 3, 3, 3, generator=generator)

    def features(batch: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(batch, kernels).relu().flatten(1)

    chunks = torch.split(images * 1.3, 4)
    result = shared_batches(ranks, chunks, features)
    with torch.no_grad():
        unseen = shared_batches(ranks, chunks, features)
    (gradient,) = torch.autograd.grad(result.mean(0).square().sum(), images)
    return [result.detach(), unseen, gradient]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_gradients_are_shared(count: int) -> None:
    """Values and gradients are those of one process, to the bit, with too many processes too."""
    (expected,) = together(1, _back_and_forth)
    assert expected[0].shape == (11, 80) and expected[2].abs().min() > 0
    for given in together(count, _back_and_forth):
        assert all(torch.equal(one, wanted) for one, wanted in zip(given, expected, strict=True))


def test_who_fails_takes_all_along() -> None:
    """The others hear of it instead of waiting."""
    heard = []

    def work(ranks: Ranks) -> None:
        def fail(number: int) -> list[Tensor]:
            if number == 1:
                raise MemoryError
            return [torch.tensor(number)]

        try:
            list(shared(ranks, range(4), fail))
        except RankLost:
            heard.append(ranks.rank)
            raise

    with pytest.raises((MemoryError, RankLost)):
        together(3, work)
    assert sorted(heard) == [0, 2]

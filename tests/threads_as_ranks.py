"""Ranks that are threads of one process: quick, and without sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from ddcodec.ranks import ALONE, RankLost, Ranks

Result = TypeVar("Result")

WAIT_SECONDS = 60.0


@dataclass
class Board:
    """What threads show each other."""

    barrier: threading.Barrier
    shown: dict[int, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class ThreadRanks(Ranks):
    """Gathers over a board what processes gather by gloo.

    Attributes:
        board: The same for all.
        sizes: Bytes that this rank has shown each time.
    """

    board: Board = field(default_factory=lambda: Board(threading.Barrier(1)))
    sizes: list[int] = field(default_factory=list)

    def gathered(self, own: Tensor) -> list[Tensor]:
        """Wait for the other threads, and return what all of them show."""
        self.sizes.append(own.numel() * own.element_size())
        try:
            self.board.barrier.wait(WAIT_SECONDS)
            self.board.shown[self.rank] = own.clone()
            self.board.barrier.wait(WAIT_SECONDS)
            given = [self.board.shown[rank].clone() for rank in range(self.count)]
            self.board.barrier.wait(WAIT_SECONDS)
        except threading.BrokenBarrierError as error:
            raise RankLost("Another thread has ended.") from error
        assert all(one.shape == own.shape and one.dtype == own.dtype for one in given)
        return given


def together(count: int, work: Callable[[Ranks], Result]) -> list[Result]:
    """Return what threads make who are all ranks of one job; computing with one thread each."""
    board = Board(threading.Barrier(count))

    def one(rank: int) -> Result:
        torch.set_num_threads(1)
        try:
            return work(ALONE if count == 1 else ThreadRanks(rank, count, board))
        except BaseException:
            board.barrier.abort()
            raise

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(one, r) for r in range(count)]]

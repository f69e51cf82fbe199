"""Ranks: processes that make one result together, as `torchrun` starts them.

Numbers alone go between them. This is the only file that knows `torch.distributed`.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ddcodec.errors import DdcError, RecipeError

if TYPE_CHECKING:
    from torch import Tensor

Item = TypeVar("Item")

_LONGEST_WAIT = timedelta(days=100)
"""The first to finish waits for the last, which may train for days."""

_LONGEST_GATHERING = timedelta(minutes=10)
_LOOK_SECONDS, _FIRST_LOOK_SECONDS = 0.02, 5e-5
_FAILURE, _ARRIVED = "failure", "arrived"
_jobs = itertools.count()


class _Store(Protocol):
    """Words that all processes of a job see; `torch.distributed.Store`."""

    def add(self, key: str, amount: int) -> int: ...
    def check(self, keys: list[str]) -> bool: ...
    def get(self, key: str) -> bytes: ...
    def compare_set(self, key: str, expected: str, desired: str) -> bytes: ...


class RankLost(DdcError):  # noqa: N818 - of another process
    """Another process of the job has ended before the job had."""


class HandedOver(DdcError):  # noqa: N818 - not told here
    """This process failed, and the first one of the job says why."""


@dataclass(frozen=True)
class Ranks:
    """The processes of a job, of which this is one.

    Attributes:
        rank: Number of this one, from 0.
        count: How many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that holds locks and speaks."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Return what this process makes of some items: every `count`-th."""
        return list(items[self.rank :: self.count])

    def summed(self, values: Sequence[float] = ()) -> list[float]:
        """Wait for all processes, and return the sums of their values.

        Args:
            values: As many from each process; exact where the others give zeros.

        Raises:
            RankLost: A process has ended.
        """
        if self.count == 1:
            return list(values)
        import torch

        given = self.gathered(torch.tensor([*values, 0.0], dtype=torch.float64))
        return [float(value) for value in torch.stack(given).sum(0)[:-1]]

    def gathered(self, own: Tensor) -> list[Tensor]:
        """Wait for all processes, and return what each of them gives, in their order.

        Args:
            own: On the CPU; of the same shape and type in each process.

        Raises:
            RankLost: A process has ended.
        """
        if self.count == 1:
            return [own]
        import torch
        import torch.distributed as dist

        given = [torch.empty_like(own) for _ in range(self.count)]
        seconds = _FIRST_LOOK_SECONDS
        try:
            work = dist.all_gather(given, own, async_op=True)
            # Signals are heard between looks, not by a call that waits.
            while not work.is_completed():
                time.sleep(seconds)
                seconds = min(1.2 * seconds, _LOOK_SECONDS)
            work.wait()
        except RuntimeError as error:
            raise RankLost("Another process of this job has ended.") from error
        return given

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Let the first process through a block before the others, for which it fills caches.

        Raises:
            RankLost: A process has ended.
        """
        if not self.is_first:
            self.summed()
        yield
        if self.is_first:
            self.summed()


ALONE = Ranks()


def asked(environment: Mapping[str, str] = os.environ) -> Ranks:
    """Return what `torchrun`, or whatever else started this process, says about it.

    Raises:
        RecipeError: It contradicts itself.
    """
    try:
        texts = environment["RANK"], environment["WORLD_SIZE"]
    except KeyError:
        return ALONE
    if all(text.isdecimal() for text in texts):
        found = Ranks(*(int(text) for text in texts))
        if found.rank < found.count:
            return found
    raise RecipeError(
        f"RANK={texts[0]} and WORLD_SIZE={texts[1]} name no process of a job; let torchrun set "
        "them, or unset both."
    )


@contextmanager
def joined(
    device: str,
    describe: Callable[[BaseException], tuple[str, int]],
    again: Callable[[], str] = lambda: "the same command",
) -> Iterator[Ranks]:
    """Be one of the processes that were started together, while the context lasts.

    All but the first are mute. Where one fails, the first says why, and all end. A process that
    is alone gets `ALONE`, and nothing is imported.

    Args:
        device: Where the processes compute; each takes a GPU of its own as far as there are any.
        describe: Returns the sentence of an error, and an exit code.
        again: Returns what goes on from what is kept where a process was lost.

    Raises:
        HandedOver: This process failed, and is not the first.
        DdcError: Another process failed or was lost, and this is the first.
    """
    ranks = asked()
    if ranks.count == 1:
        yield ALONE
        return
    store = _connected(ranks)
    _take_gpu(device, ranks)
    heard = _Terminated()
    try:
        with heard.listening(), contextlib.nullcontext() if ranks.is_first else _mute():
            yield ranks
    except BaseException as error:
        is_due_to_others = heard.is_any or isinstance(error, RankLost)
        if not ranks.is_first:
            if not is_due_to_others:
                sentence = f"Process {ranks.rank + 1} of {ranks.count} failed: {describe(error)[0]}"
                _leave_word(store, sentence)
            raise HandedOver(str(error)) from error
        if is_due_to_others:
            lost = f"One of the {ranks.count} processes was lost, or the job was ended from outside"
            goes_on = "goes on from what is kept, with any number of processes."
            raise DdcError(_word(store) or f"{lost}; {again()} {goes_on}") from error
        raise
    importlib.import_module("torch.distributed").destroy_process_group()


def _connected(ranks: Ranks) -> _Store:
    """Return what processes leave words in, when all of them are connected."""
    # Its stubs leave out what its documentation names.
    dist: Any = importlib.import_module("torch.distributed")
    if not dist.is_available():
        raise RecipeError("This torch has no torch.distributed; run one process, or install it.")
    try:
        shared, _, _ = next(dist.rendezvous("env://", timeout=_LONGEST_GATHERING))
        store: _Store = dist.PrefixStore(f"ddc {next(_jobs)}", shared)
        _gather(store, ranks)
        # Gloo on GPUs, too: what goes between the processes is a few numbers on the CPU.
        dist.init_process_group(
            "gloo", store=store, rank=ranks.rank, world_size=ranks.count, timeout=_LONGEST_WAIT
        )
    except (RuntimeError, ValueError) as error:
        raise DdcError(
            f"Process {ranks.rank + 1} of {ranks.count} cannot reach the others: {error}"
        ) from error
    return store


def _gather(store: _Store, ranks: Ranks) -> None:
    """Wait until all are there: whoever was started by a process of another job waits in vain."""
    last = time.monotonic() + _LONGEST_GATHERING.total_seconds()
    store.add(_ARRIVED, 1)
    while (arrived := store.add(_ARRIVED, 0)) < ranks.count:
        if time.monotonic() > last:
            raise DdcError(
                f"Only {arrived} of {ranks.count} processes came; start them all by torchrun, or "
                "unset RANK and WORLD_SIZE to work alone."
            )
        time.sleep(_LOOK_SECONDS)


def _take_gpu(device: str, ranks: Ranks) -> None:
    """Make `cuda` mean a GPU of this process's own; where there are too few they are shared."""
    import torch

    if device == "cuda" and torch.cuda.is_available():
        on_machine = os.environ.get("LOCAL_RANK", str(ranks.rank))
        torch.cuda.set_device(int(on_machine) % torch.cuda.device_count())


class _Terminated:
    """Whether somebody ended this process: `torchrun` does when another one has failed."""

    is_any = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Stop at SIGTERM as at Ctrl-C; after a failure, end without being disturbed."""
        before = signal.signal(signal.SIGTERM, self._stop)
        try:
            yield
        except BaseException:
            # `torchrun` ends the others in a tenth of a second, often before they have said why.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise
        signal.signal(signal.SIGTERM, before)

    def _stop(self, number: int, frame: Any) -> None:
        self.is_any = True
        raise KeyboardInterrupt


@contextmanager
def _mute() -> Iterator[None]:
    """Print nothing but warnings, which are of this process alone."""
    stderr, show = sys.stderr, warnings.showwarning

    def show_still(*arguments: Any, **more: Any) -> None:
        with contextlib.redirect_stderr(stderr):
            show(*arguments, **more)

    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        warnings.showwarning = show_still
        try:
            yield
        finally:
            warnings.showwarning = show


def _leave_word(store: _Store, sentence: str) -> None:
    # The first failure is the one to be told; without the first process nobody would read it.
    with contextlib.suppress(RuntimeError):
        store.compare_set(_FAILURE, "", sentence)


def _word(store: _Store) -> str | None:
    with contextlib.suppress(RuntimeError):
        if store.check([_FAILURE]):
            return store.get(_FAILURE).decode(errors="replace")
    return None

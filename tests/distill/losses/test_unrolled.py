"""The adjoint of a student's training against autograd through all of it, and its memory."""

import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ddcodec.distill.losses.unrolled import Match, UnrolledStudent
from ddcodec.distill.trained.weights import FlatNetwork

CPU = torch.device("cpu")
BATCH = 6


@pytest.fixture
def network() -> FlatNetwork:
    """A ConvNet of width 8 on 8×8 images of three classes."""
    return FlatNetwork("convnet", (1, 8, 8), 3, 8, CPU)


def _inputs(network: FlatNetwork, steps: int) -> tuple[Tensor, ...]:
    """Return start, target, rate, views and labels."""
    stream = torch.Generator().manual_seed(2)
    views = torch.randn((steps, BATCH, 1, 8, 8), generator=stream)
    labels = torch.randint(3, (steps, BATCH), generator=stream)
    return network.initial(0), network.initial(1), torch.tensor(0.2), views, labels


def _by_autograd(network: FlatNetwork, *inputs: Tensor) -> Match:
    start, target, rate, views, labels = inputs
    rate, views = rate.clone().requires_grad_(), views.clone().requires_grad_()
    weights = start.clone().requires_grad_()
    for batch, classes in zip(views, labels, strict=True):
        loss = F.cross_entropy(network.logits(weights, batch), classes)
        (gradient,) = torch.autograd.grad(loss, weights, create_graph=True)
        weights = weights - rate * gradient
    distance = (weights - target).square().sum() / (start - target).square().sum()
    return Match(distance.detach(), *torch.autograd.grad(distance, (views, rate)))


def test_gradients_are_those_of_unrolling(network: FlatNetwork) -> None:
    """Distance, gradients by every view and by the rate agree after five updates."""
    inputs = _inputs(network, 5)
    expected = _by_autograd(network, *inputs)
    found = UnrolledStudent(network, bfloat16=False, is_compiled=False).match(*inputs)
    assert torch.allclose(found.distance, expected.distance, rtol=1e-4)
    assert torch.allclose(found.for_rate, expected.for_rate, rtol=1e-3)
    assert torch.allclose(found.for_views, expected.for_views, rtol=1e-3, atol=1e-6)


class _Memory(TorchDispatchMode):
    """Counts the bytes of tensors that are alive, whoever holds them."""

    def __init__(self) -> None:
        super().__init__()
        self.peak_bytes, self._live_bytes = 0, 0
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        known = self._known.get(key)
        if known is not None and known() is not None:
            return
        self._known[key] = weakref.ref(storage)
        self._live_bytes += storage.nbytes()
        self.peak_bytes = max(self.peak_bytes, self._live_bytes)
        weakref.finalize(storage, self._free, storage.nbytes())

    def _free(self, size: int) -> None:
        self._live_bytes -= size


def _peak_bytes(match: Callable[..., Match], inputs: tuple[Tensor, ...]) -> int:
    with _Memory() as memory:
        match(*inputs)
    return memory.peak_bytes


def test_an_update_costs_the_memory_of_its_weights(network: FlatNetwork) -> None:
    """Ten updates more keep weights, views and their gradients; unrolling all activations."""
    short, long = _inputs(network, 2), _inputs(network, 12)
    student = UnrolledStudent(network, bfloat16=False, is_compiled=False)
    own = _peak_bytes(student.match, long) - _peak_bytes(student.match, short)
    kept = 10 * 4 * (network.num_weights + 2 * long[3][0].numel())
    assert 0 < own < 1.1 * kept
    unrolled = [
        _peak_bytes(lambda *given: _by_autograd(network, *given), inputs)
        for inputs in (short, long)
    ]
    assert unrolled[1] - unrolled[0] > 5 * kept

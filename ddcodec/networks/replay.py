"""Replay what a function launched on a GPU, where launching takes longer than computing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

WARM_UPS = 3
"""Calls of every shape made as they are before one is recorded: libraries choose their algorithms,
and compilers make programs, in the first."""

_Key = tuple[tuple[torch.Size, torch.dtype], ...]

Result = TypeVar("Result")


class Replayed(Generic[Result]):
    """Call a function of tensors; on a GPU record its launches and repeat them at once.

    Small networks on small batches make thousands of launches a second, each of which costs more
    time on the CPU than on the GPU. A CUDA graph launches all of them together. On other devices
    the function is simply called.

    What the function does besides returning tensors is repeated, too, if it happens on the GPU:
    weights are updated and random numbers drawn. Whatever it reads from Python, such as a learning
    rate that is a number, stays as it was when the call was recorded.

    A function that waits for its results cannot be recorded, and is called as it is.

    Args:
        function: Takes tensors on the device and returns one, or a tuple of them.
        device: Where it computes.
    """

    def __init__(self, function: Callable[..., Result], device: torch.device) -> None:
        self._function, self._device = function, device
        self._is_recordable = device.type == "cuda"
        self._warm_ups: dict[_Key, int] = {}
        self._recorded: dict[_Key, tuple[torch.cuda.CUDAGraph, tuple[Tensor, ...], Result]] = {}

    def __call__(self, *inputs: Tensor) -> Result:
        """Return what the function returns; on a GPU the next call may overwrite it."""
        if not self._is_recordable:
            return self._function(*inputs)
        key = tuple((tensor.shape, tensor.dtype) for tensor in inputs)
        warm_ups = self._warm_ups.get(key, 0)
        if warm_ups < WARM_UPS:
            self._warm_ups[key] = warm_ups + 1
            return self._beside(inputs)
        if key not in self._recorded:
            try:
                self._recorded[key] = self._record(inputs)
            except RuntimeError:
                self._is_recordable = False
                return self._function(*inputs)
        graph, given, result = self._recorded[key]
        for tensor, value in zip(given, inputs, strict=True):
            tensor.copy_(value)
        graph.replay()
        return result

    def _beside(self, inputs: tuple[Tensor, ...]) -> Result:
        """Call the function on a stream of its own, as a recording will."""
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            result = self._function(*inputs)
        torch.cuda.current_stream(self._device).wait_stream(stream)
        return result

    def _record(
        self, inputs: tuple[Tensor, ...]
    ) -> tuple[torch.cuda.CUDAGraph, tuple[Tensor, ...], Result]:
        given = tuple(tensor.clone() for tensor in inputs)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = self._function(*given)
        return graph, given, result


class Rate:
    """A learning rate that a recorded update reads anew every time: a tensor, where it is one.

    Args:
        device: Where updates are recorded; None where they are not.
    """

    def __init__(self, device: torch.device | None) -> None:
        self._tensor = None if device is None else torch.zeros((), device=device)

    def set(self, optimiser: torch.optim.Optimizer, rate: float) -> None:
        """Let an optimiser make its next step at a rate."""
        value = rate if self._tensor is None else self._tensor.fill_(rate)
        # Anew each time: loading a state puts others in their place.
        for group in optimiser.param_groups:
            group["lr"] = value

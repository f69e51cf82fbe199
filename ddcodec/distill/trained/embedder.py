"""Embeddings of images under one network after the other, compiled where that pays."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ddcodec.distill.trained.derivatives import compiling_pays
from ddcodec.networks import Classifier, precision
from ddcodec.networks.compiling import compiled
from ddcodec.ranks import ALONE, Ranks
from ddcodec.shares import shared_batches

CHUNK_IMAGES = 32  # per forward pass at most, on a CPU or where several processes share them

HELD_PIXELS = 1 << 23
"""Pixels of which activations are held for the way back, 4 GB of a network of width 64. Of more,
each chunk is embedded once again then: activations take a tenth, networks up to twice the time."""

COMPILE_FROM_IMAGES = 30_000
"""Images of 32×32 from which compiling pays on a CPU: it takes half a minute of a core and saves a
millisecond an image (docs/results/speed.md)."""


def chunk_images(images: Tensor) -> int:
    """Return how many of these images N×C×H×W are embedded together, where they are in chunks."""
    return min(CHUNK_IMAGES, precision.micro_batch(images))


class Embedder:
    """Embed images by networks of one architecture, whose weights change all the time.

    A compiled program belongs to one network and one number of images. So weights are copied into
    a network that stays, and the last chunk of images is filled up with zeros, which are dropped.

    Args:
        device: Where networks and images are.
        bfloat16: Compute in bfloat16.
        ranks: Processes that share chunks.
    """

    def __init__(self, device: torch.device, bfloat16: bool, ranks: Ranks = ALONE) -> None:
        self._device, self._bfloat16, self._ranks = device, bfloat16, ranks
        self._programs: list[_Program] = []

    def embed(self, network: Classifier, images: Tensor, images_before: float) -> Tensor:
        """Return the embeddings of images.

        Args:
            network: Whose `features` they are.
            images: Normalised float32 N×C×H×W.
            images_before: Embedded in earlier steps, about: whether to compile depends on it, and
                on nothing that a run which goes on would not know.

        Returns:
            float32 N×D.
        """
        on_cpu = self._device.type == "cpu"
        in_chunks = on_cpu or self._ranks.count > 1
        chunks = torch.split(images, chunk_images(images)) if in_chunks else [images]
        function: Callable[[Tensor], Tensor] = network.features
        num_pixels = images[0, 0].numel()
        if on_cpu and compiling_pays(self._device, images_before, num_pixels, COMPILE_FROM_IMAGES):
            function = self._program(network)
        seen = self._in_its_precision(function)
        holds_much = images.requires_grad and len(images) * num_pixels > HELD_PIXELS
        if holds_much and len(chunks) > 1:  # A single chunk would hold as much the second time.
            seen = _embedded_again(seen)
        return shared_batches(self._ranks, chunks, seen).float()

    def _in_its_precision(self, function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def embedded(chunk: Tensor) -> Tensor:
            with precision.autocast(self._device, self._bfloat16):
                return function(chunk)

        return embedded

    def _program(self, network: Classifier) -> _Program:
        """Return a program that has a network's weights now: of two, as steps want no more."""
        for number, program in enumerate(self._programs):
            if program.network is network:
                self._programs.append(self._programs.pop(number))
                return program
        if len(self._programs) < _MOST_PROGRAMS:
            self._programs.append(_Program(network))
        else:
            self._programs.append(self._programs.pop(0))
            self._programs[-1].take(network)
        return self._programs[-1]


def _embedded_again(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return a function that holds its images alone for the way back."""

    def embedded(chunk: Tensor) -> Tensor:
        result: Tensor = _Again.apply(function, chunk)  # type: ignore[no-untyped-call]
        return result

    return embedded


class _Again(torch.autograd.Function):
    """Forget on the way there what the way back needs, and make it anew then.

    `torch.utils.checkpoint` ends the second time by an error, which compiled networks take for
    one of the compiler's.
    """

    @staticmethod
    def forward(ctx: Any, function: Callable[[Tensor], Tensor], chunk: Tensor) -> Tensor:
        ctx.function = function
        ctx.save_for_backward(chunk)
        # With gradients, or compiled networks would be compiled for the way there alone, too.
        with torch.enable_grad():
            return function(chunk.detach().requires_grad_()).detach()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[None, Tensor]:
        (chunk,) = ctx.saved_tensors
        with torch.enable_grad():
            leaf = chunk.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(ctx.function(leaf), leaf, slope)
        return None, gradient


_MOST_PROGRAMS = 2
"""One for the network that is looked through, one for the network that classifies."""


class _Program:
    """A compiled network that takes the weights of others.

    Attributes:
        network: Whose weights it has.
    """

    def __init__(self, network: Classifier) -> None:
        self.network = network
        self._own = copy.deepcopy(network)
        self._features: Callable[..., Tensor] = compiled(self._own.features)

    def take(self, network: Classifier) -> None:
        """Take the weights of another network of the same architecture."""
        self.network = network
        self._own.load_state_dict(network.state_dict())

    def __call__(self, chunk: Tensor) -> Tensor:
        """Return the embeddings of at most a chunk of images."""
        filling = chunk.new_zeros((chunk_images(chunk) - len(chunk), *chunk.shape[1:]))
        return self._features(torch.cat([chunk, filling]))[: len(chunk)]

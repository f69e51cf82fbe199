"""Where bfloat16, compilation and parts of a batch pay: what is asked of the hardware, all here."""

import contextlib
import math
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

MICRO_BATCH_PIXELS = 32 * 32 * 32
"""Pixels whose activations stay in the cache of a CPU while gradients go there and back."""

LOOKED_AT_PIXELS = 2 * MICRO_BATCH_PIXELS
"""The same where nothing is kept for a way back: at 128×128 a ConvNet of width 64 sees images
twice as fast four at a time as 32 or more (docs/results/speed.md)."""

SMALLEST_MICRO_BATCH = 4


def bfloat16_pays(device: torch.device) -> bool:
    """Tell whether bfloat16 autocast is faster than float32 on a device.

    True on CUDA devices that have it and on CPUs with bfloat16 instructions; elsewhere CPUs
    emulate it and lose time.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # Neither name is documented for every torch release this package allows.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported is not None and supported())


def autocast(device: torch.device, bfloat16: bool) -> AbstractContextManager[object]:
    """Return a context in which networks compute in bfloat16, or one that changes nothing."""
    if not bfloat16:
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def micro_batch(images: Tensor, pixels: int = MICRO_BATCH_PIXELS) -> int:
    """Return how many of these images N×C×H×W a network had better be given at once.

    On a CPU as many as have so many pixels, at least `SMALLEST_MICRO_BATCH`; elsewhere all.
    """
    if images.device.type != "cpu":
        return max(1, len(images))
    return max(SMALLEST_MICRO_BATCH, pixels // math.prod(images.shape[2:]))


def looked_at(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return what a network makes of images N×C×H×W, some at a time; for use without gradients.

    The network has to see every image for itself.
    """
    parts = torch.split(images, micro_batch(images, LOOKED_AT_PIXELS))
    return torch.cat([network(part) for part in parts])


def compiler_found() -> bool:
    """Tell whether a C++ compiler is on the path, which `torch.compile` needs on a CPU."""
    names = (os.environ.get("CXX") or "g++", "c++", "clang++")
    return any(shutil.which(name) is not None for name in names)

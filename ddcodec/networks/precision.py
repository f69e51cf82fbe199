"""Where bfloat16 and compilation pay; the only place that asks what the hardware can do."""

import contextlib
import os
import shutil
from contextlib import AbstractContextManager

import torch


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


def compiler_found() -> bool:
    """Tell whether a C++ compiler is on the path, which `torch.compile` needs on a CPU."""
    names = (os.environ.get("CXX") or "g++", "c++", "clang++")
    return any(shutil.which(name) is not None for name in names)

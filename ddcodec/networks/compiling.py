"""Compiled functions that go on uncompiled where compiling fails."""

import contextlib
import os
from collections.abc import Callable
from typing import TypeVar

import torch

from ddcodec.errors import DataError
from ddcodec.kept.paths import default_cache_dir

Result = TypeVar("Result")


def compiled(function: Callable[..., Result]) -> Callable[..., Result]:
    """Compile a function, one program a shape; use the original once compiling has failed.

    Programs are kept in the cache. An error that the original raises, too, is raised.
    """
    _keep_programs()
    chosen: Callable[..., Result] = torch.compile(function, dynamic=False)

    def call(*inputs: object) -> Result:
        nonlocal chosen
        if chosen is function:
            return function(*inputs)
        try:
            return chosen(*inputs)
        except Exception:
            # No compiler, a missing header, too little memory: it goes wrong in many ways.
            chosen = function
            return function(*inputs)

    return call


def _keep_programs() -> None:
    """Let compiled programs outlive the process, where nobody has said where they are to be."""
    with contextlib.suppress(DataError, OSError):
        folder = default_cache_dir() / "compiled"
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))

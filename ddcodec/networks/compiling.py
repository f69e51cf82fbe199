"""Compiled functions that go on uncompiled where compiling fails."""

from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


def compiled(function: Callable[..., Result]) -> Callable[..., Result]:
    """Compile a function, one program a shape; use the original once compiling has failed.

    An error that the original raises, too, is raised.
    """
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

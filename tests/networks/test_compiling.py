"""What happens where compiling fails."""

import pytest
import torch
from torch import Tensor

from ddcodec.networks.compiling import compiled


def test_a_compiler_that_breaks_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function itself goes on, and the compiler is not tried again."""
    tries = []

    def broken(_function: object, **_: object) -> object:
        def fail(*_: object) -> Tensor:
            tries.append(1)
            raise RuntimeError("no compiler")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    doubled = compiled(lambda values: values * 2)
    assert [float(doubled(torch.tensor(3.0))) for _ in range(3)] == [6.0] * 3
    assert len(tries) == 1


def test_errors_of_the_function_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the function is not taken for the compiler's fault."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)

    def wrong(_: Tensor) -> Tensor:
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        compiled(wrong)(torch.zeros(1))

"""What happens where compiling fails, and where programs are kept."""

import os
from pathlib import Path

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


def test_compiled_programs_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They go to the cache, unless the user has named a folder; a useless cache is no error."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    (tmp_path / "file").touch()
    for useless in (tmp_path / "file", "~nobody-of-this-name/cache"):
        monkeypatch.setenv("DDC_CACHE", str(useless))
        assert compiled(abs)(-1) == 1
        assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ
    monkeypatch.setenv("DDC_CACHE", str(tmp_path))
    compiled(abs)
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "compiled")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "elsewhere")
    compiled(abs)
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "elsewhere"

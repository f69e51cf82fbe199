"""States that go on: only what has the form of one's own is taken over."""

from typing import Any

import pytest
import torch

from ddcodec.kept.state import (
    check_like,
    checked_count,
    checked_counts,
    checked_threads,
    restore_optimiser,
)

OWN = {"weights": [torch.zeros(2, 3)], "step": 1, "loss": 0.5, "done": False, "name": "x"}


def _changed(**changes: Any) -> dict[str, Any]:
    return {**OWN, **changes}


def test_the_same_form_is_taken() -> None:
    """Values may differ; a whole number may stand for another one."""
    check_like(_changed(weights=[torch.ones(2, 3)], step=9, loss=2, done=True, name="y"), OWN)


@pytest.mark.parametrize(
    "read",
    [
        None,
        {},
        _changed(more=1),
        _changed(weights=[]),
        _changed(weights=[torch.zeros(3)]),
        _changed(weights=[torch.zeros(2, 3, dtype=torch.float64)]),
        _changed(weights=[torch.full((2, 3), float("nan"))]),
        _changed(weights=["weights"]),
        _changed(step=1.0),
        _changed(step=True),
        _changed(loss=float("inf")),
        _changed(loss="0.5"),
        _changed(done=0),
        _changed(name=None),
    ],
)
def test_another_form_is_refused(read: Any) -> None:
    """Shapes, types, names, lengths and what is not finite."""
    with pytest.raises(ValueError, match="state"):
        check_like(read, OWN)


def test_numbers_are_bounded() -> None:
    """A million threads, steps after the last and numbers that are none are refused."""
    assert checked_threads(1024) == 1024 and checked_count(0) == 0
    assert checked_counts([3, 9], 2) == [3, 9]
    for threads in (0, 10**6, -1, 1.0, True, "2", None):
        with pytest.raises(ValueError, match="threads"):
            checked_threads(threads)
    for counts in ([9, 3], [1], [-1, 2], [1, 2.0]):
        with pytest.raises(ValueError, match=r"."):
            checked_counts(counts, 2)


def test_optimisers_compare_shapes() -> None:
    """Torch takes moments of any shape; they have to be those of the parameters."""

    def build() -> torch.optim.Optimizer:
        weights = torch.nn.Parameter(torch.ones(2, 3))
        optimiser = torch.optim.Adam([weights])
        weights.grad = torch.ones(2, 3)
        optimiser.step()
        return optimiser

    state = build().state_dict()
    restore_optimiser(build(), state)
    damages: list[dict[str, Any]] = [
        {**state, "state": {0: {**state["state"][0], "exp_avg": torch.zeros(3, 2)}}},
        {**state, "state": {0: {**state["state"][0], "exp_avg": "none"}}},
        {**state, "param_groups": [{**state["param_groups"][0], "lr": "fast"}]},
        {**state, "param_groups": [{**state["param_groups"][0], "params": [0, 1]}]},
        {**state, "param_groups": []},
    ]
    for damaged in damages:
        with pytest.raises(ValueError, match=r"."):
            restore_optimiser(build(), damaged)

"""What a state of a run looks like, before it is taken over: torch would stretch a wrong shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from ddcodec.format.limits import MAX_HINTS
from ddcodec.kept.state import check_like, checked_count

if TYPE_CHECKING:
    from ddcodec.distill.running.run import Run


def check_run_state(run: Run, state: Mapping[str, Any]) -> None:
    """Compare a state that was read with the run that is to go on from it.

    Raises:
        ValueError: if a tensor has another shape or type, a name is missing, or a number is none.
        LookupError: if there is less than there should be.
    """
    networks = run.representation.networks
    sets = [dict(tensors) for tensors in networks]
    check_judged_state(run, state)
    check_like(state["other_bits"], 0.0, "other_bits")
    check_like(state["generator"], run.generator.get_state(), "generator")
    checked_count(len(state["hints"]), most=MAX_HINTS)
    for key, value in state["hints"]:
        checked_count(key)
        checked_count(value)
    for name, count in state["step_counts"].items():
        check_like(name, "", "step_counts")
        checked_count(count)
    if (quantised := state["quantised"]) is not None:
        for own, saved in zip(sets, quantised, strict=True):
            if own.keys() != saved.keys():
                raise ValueError("quantised has other names")
            for name, (integers, exponent) in saved.items():
                like = torch.empty(own[name].shape, dtype=integers.dtype)
                check_like(integers, like, f"quantised.{name}")
                checked_count(exponent, least=-(2**16), most=2**16)
    if (selected := state["selected"]) is not None:
        step, accuracy, judged = selected
        checked_count(step)
        check_like(accuracy, 0.0, "accuracy")
        check_judged_state(run, judged)


def check_judged_state(run: Run, state: Mapping[str, Any]) -> None:
    """Likewise, what of a state is kept of every candidate."""
    representation = run.representation
    check_like(state["latents"], representation.latents, "latents")
    own = [dict(tensors) for tensors in representation.networks]
    check_like(list(map(dict, state["networks"])), own, "networks")
    check_like(state["multiplier"], 0.0, "multiplier")
    if run.utility is None:
        check_like(state["utility"], None, "utility")
    else:
        # What a loss carries along may grow; it compares that itself, where it takes it over.
        loss = run.utility.state()
        check_like({**state["utility"], "loss": loss["loss"]}, loss, "utility")
    if (wishes := state["wishes"]) is not None:
        latents = representation.latents
        check_like(wishes["values"], torch.empty_like(latents).zero_(), "wishes")
        row = latents.new_zeros(latents.shape[1])
        check_like(wishes["weights"], [row] * len(own), "wishes.weights")

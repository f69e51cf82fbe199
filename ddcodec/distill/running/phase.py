"""What a phase of a run is: steps that can be stopped after each of them and gone on with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

State = dict[str, Any]
"""Tensors, numbers, texts and lists or dicts of them: what a checkpoint can hold."""


@dataclass(frozen=True)
class Step:
    """What a step did.

    Attributes:
        step: from 1; 0 for what a phase found before its first step.
        steps: of the phase.
        latent_bits: estimated bits of all latents.
        loss: the utility's loss, per image outside the joint phase; None where none is computed.
        num_images: synthetic images the step worked on.
        accuracy: of a validation that followed the step, in percent; None without one.
    """

    step: int
    steps: int
    latent_bits: float
    loss: float | None
    num_images: int
    accuracy: float | None = None


class Phase(Protocol):
    """A part of a run. What it leaves behind is in the `Run`; its own state ends with it."""

    @property
    def name(self) -> str:
        """Name for users and logs."""
        ...

    def advance(self) -> Step | None:
        """Make one step; None once there is none left."""
        ...

    def state(self) -> State:
        """Return all that the next step depends on beyond the `Run`; tensors may be shared."""
        ...

    def restore(self, state: State) -> None:
        """Go on where `state` was called."""
        ...

"""What a finished run hands over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddcodec.budget import Budget
from ddcodec.codec.encode import EncodedFile
from ddcodec.distill.rate.allocation import Allocation


@dataclass(frozen=True)
class Distilled:
    """A finished run.

    Attributes:
        encoded: the file.
        allocation: how the budget was spent.
        budget: what was asked for.
        estimated_bytes: the training-time rate of the final integers plus the exact header.
        real_images: the real images phase 1 started from, N × C × H × W uint8, sorted by class.
        seconds: wall-clock time, that of a pool made on the way not included.
        has_fixed_multiplier: whether λ was given, so that the size fell where it fell.
        step_counts: steps of the phases that were made, by their names.
        selected_step: of the joint phase, after which the images were; None without validation.
        accuracy: that validation gave them then, in percent; None without validation.
        label_accuracies: percentages on the validation part by kind of label, where a run chose
            among them.
        trials: of a search for the decoder, as JSON has them; empty without one.
    """

    encoded: EncodedFile
    allocation: Allocation
    budget: Budget
    estimated_bytes: float
    real_images: NDArray[np.uint8]
    seconds: float
    has_fixed_multiplier: bool = False
    step_counts: Mapping[str, int] = field(default_factory=dict)
    selected_step: int | None = None
    accuracy: float | None = None
    label_accuracies: Mapping[str, float] = field(default_factory=dict)
    trials: tuple[Mapping[str, Any], ...] = ()

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return len(self.encoded.data)

    @property
    def is_below_floor(self) -> bool:
        """Whether the file leaves more of the budget unused than it should."""
        return not self.has_fixed_multiplier and self.size_bytes < self.budget.floor_bytes

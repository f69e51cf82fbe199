"""What a file advises whoever trains on it: numbered hints of the header, by name."""

from __future__ import annotations

from dataclasses import dataclass

Hints = tuple[tuple[int, int], ...]

MAX_RENDITIONS = 64

SGD_RATE, RENDITIONS, UPDATES, BATCH_SIZE, ADAMW_RATE, CUTMIX, MIXUP, DETAIL = range(1, 9)
"""Ids of hints (docs/format.md, section 3)."""

USUAL_DETAIL = 13

_LARGEST = 1 << 31
_RANGES = {
    SGD_RATE: (1, _LARGEST),
    RENDITIONS: (1, MAX_RENDITIONS),
    UPDATES: (1, _LARGEST),
    BATCH_SIZE: (1, _LARGEST),
    ADAMW_RATE: (1, _LARGEST),
    CUTMIX: (0, 1000),
    MIXUP: (0, 1000),
    DETAIL: (0, 16),
}


@dataclass(frozen=True)
class StudentRecipe:
    """Advice for the training of a student; None leaves it open.

    Attributes:
        sgd_rate: learning rate of plain SGD.
        renditions: times each image is drawn, with other details (docs/format.md, section 10).
        updates: optimiser steps.
        batch_size: images of a step.
        adamw_rate: the highest learning rate of AdamW.
        cutmix: probability that a batch is mixed by CutMix.
        mixup: probability that it is mixed by mixup instead.
        detail: strength of the details of renditions, 0 … 16: 8 as the context model predicts
            them, each 8 more twice as strong.
    """

    sgd_rate: float | None = None
    renditions: int = 1
    updates: int | None = None
    batch_size: int | None = None
    adamw_rate: float | None = None
    cutmix: float | None = None
    mixup: float | None = None
    detail: int = USUAL_DETAIL

    @classmethod
    def from_hints(cls, hints: Hints) -> StudentRecipe:
        """Read the hints of a header; unknown ids and values out of range are passed over."""
        known: dict[int, int] = {}
        for number, value in hints:
            low, high = _RANGES.get(number, (1, 0))
            if low <= value <= high:
                known.setdefault(number, value)
        return cls(
            sgd_rate=_scaled(known.get(SGD_RATE), 10**6),
            renditions=known.get(RENDITIONS, 1),
            updates=known.get(UPDATES),
            batch_size=known.get(BATCH_SIZE),
            adamw_rate=_scaled(known.get(ADAMW_RATE), 10**6),
            cutmix=_scaled(known.get(CUTMIX), 1000),
            mixup=_scaled(known.get(MIXUP), 1000),
            detail=known.get(DETAIL, USUAL_DETAIL),
        )

    def to_hints(self) -> Hints:
        """Return the hints of a header, by rising id; what is open or usual takes none."""
        values = {
            SGD_RATE: _whole(self.sgd_rate, 10**6),
            RENDITIONS: self.renditions if self.renditions > 1 else None,
            UPDATES: self.updates,
            BATCH_SIZE: self.batch_size,
            ADAMW_RATE: _whole(self.adamw_rate, 10**6),
            CUTMIX: _whole(self.cutmix, 1000),
            MIXUP: _whole(self.mixup, 1000),
            DETAIL: self.detail if self.detail != USUAL_DETAIL else None,
        }
        return tuple(
            (number, min(max(value, _RANGES[number][0]), _RANGES[number][1]))
            for number, value in values.items()
            if value is not None
        )


def _scaled(value: int | None, unit: int) -> float | None:
    return None if value is None else value / unit


def _whole(value: float | None, unit: int) -> int | None:
    return None if value is None else round(value * unit)

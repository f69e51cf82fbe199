"""Recipes by which a training set is judged; every accuracy is printed with its recipe's name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ddcodec.errors import RecipeError

COUNTS = ("epochs", "updates", "batch_size", "network_width")
NUMBERS = (
    "learning_rate", "momentum", "weight_decay", "warmup", "cutmix", "mixup", "label_smoothing",
    "stage_weight",
)  # fmt: skip
"""What `Protocol.changed` takes: whole numbers, and any from 0 on."""


@dataclass(frozen=True)
class Protocol:
    """How networks are trained on a training set.

    The defaults are the field's: SGD with momentum on hard labels, the learning rate multiplied by
    0.1 at half the updates. Exactly one of `epochs` and `updates` is set. Epochs run over the
    shuffled set with a smaller last batch, as the field does; a number of updates takes full
    batches from shuffles strung together, so that every batch has the same shape.

    Attributes:
        name: Key in `PROTOCOLS`, printed with results.
        epochs: Passes over the training set, or None.
        updates: Optimiser steps, or None.
        batch_size: Images per step; a smaller set is one batch.
        optimiser: Key of `ddcodec.evaluation.students.optimisers.OPTIMISERS`.
        learning_rate: The highest.
        momentum: Of SGD.
        weight_decay: On all weights.
        schedule: Key of `ddcodec.evaluation.students.optimisers.SCHEDULES`.
        warmup: Part of the updates over which the learning rate rises to the schedule.
        network_width: Channels of the networks' first convolutions; None for the published ones.
        networks: Networks trained where no seeds are given.
        augment: Whether DSA is applied, one operation per batch and parameters per image.
        operations: Those that DSA draws from; None for all.
        always: Operations of DSA that every batch goes through first, in this order.
        cutmix: Probability that a batch is mixed by CutMix.
        mixup: Probability that a batch is mixed by mixup instead.
        singly: Whether each image is jittered and mixed by draws of its own, instead of DSA and
            one mixture a batch.
        label_smoothing: Part of hard labels that is spread evenly over all classes.
        all_labels: Whether soft labels or a labeler are used where the training set has them.
        stage_weight: Of the squared error against each feature map of a labeler, where labels
            by one are used; see `ddcodec.evaluation.students.stage_matching`.
        learned_rate: Whether a training set's own rate of plain SGD goes before `learning_rate`.
        given: Settings that no advice of a training set replaces.
    """

    name: str
    epochs: int | None = None
    updates: int | None = None
    batch_size: int = 256
    optimiser: str = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "step"
    warmup: float = 0.0
    network_width: int | None = None
    networks: int = 5
    augment: bool = True
    operations: tuple[str, ...] | None = None
    always: tuple[str, ...] = ()
    cutmix: float = 0.0
    mixup: float = 0.0
    singly: bool = False
    label_smoothing: float = 0.0
    all_labels: bool = False
    stage_weight: float = 0.0
    learned_rate: bool = False
    given: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse contradictions.

        Raises:
            RecipeError: Not exactly one of epochs and updates is set, a count is below 1, or a part
                or probability is not in [0, 1].
        """
        if (self.epochs is None) == (self.updates is None):
            raise RecipeError(f"Protocol '{self.name}' needs either epochs or updates.")
        counts = (self.epochs or self.updates or 0, self.batch_size, self.networks)
        if min(counts) < 1:
            raise RecipeError(f"Protocol '{self.name}' has a count below 1.")
        parts = (self.warmup, self.cutmix, self.mixup, self.cutmix + self.mixup)
        if not all(0 <= part <= 1 for part in (*parts, self.label_smoothing)):
            raise RecipeError(f"Protocol '{self.name}' has a part or probability beyond 0 … 1.")

    def changed(self, options: Mapping[str, float]) -> Protocol:
        """Return this protocol with other numbers, which from then on stand in its name.

        They go before what a training set advises. `updates` takes the place of `epochs`, and the
        other way round.

        Args:
            options: Keys in `COUNTS` and `NUMBERS`; none leave the protocol as it is.

        Raises:
            RecipeError: There is no such number, or the value cannot be one.
        """
        if not options:
            return self
        for name, value in options.items():
            _check_number(name, value)
        changes: dict[str, Any] = dict(options)
        if ("epochs" in changes) != ("updates" in changes):
            changes.setdefault("epochs", None)
            changes.setdefault("updates", None)
        listed = ",".join(f"{name}={value}" for name, value in options.items())
        return replace(self, name=f"{self.name}:{listed}", given=(*self.given, *options), **changes)

    def advised(
        self,
        rate: float | None = None,
        cutmix: float | None = None,
        mixup: float | None = None,
        sgd_rate: float | None = None,
    ) -> Protocol:
        """Return this protocol as a training set advises, if it is one that listens to that.

        Those with all labels listen to the first three, those of a `learned_rate` to the last. How
        long networks are trained stays, so that training sets remain comparable.

        Args:
            rate: The highest learning rate, of AdamW.
            cutmix: See the attribute.
            mixup: See the attribute; both together may not exceed 1, or neither is taken.
            sgd_rate: The learning rate of plain SGD.
        """
        if self.learned_rate:
            return replace(self, learning_rate=self._advised("learning_rate", sgd_rate))
        if not self.all_labels:
            return self
        mixing = (self._advised("cutmix", cutmix), self._advised("mixup", mixup))
        if sum(mixing) > 1:
            mixing = (self.cutmix, self.mixup)
        return replace(
            self,
            learning_rate=self._advised("learning_rate", rate),
            cutmix=mixing[0],
            mixup=mixing[1],
        )

    def _advised(self, name: str, advice: float | None) -> float:
        own: float = getattr(self, name)
        return own if advice is None or name in self.given else advice

    @property
    def mixes(self) -> bool:
        """Whether targets are more than the numbers of classes."""
        return bool(self.cutmix or self.mixup or self.label_smoothing)

    def total_updates(self, num_images: int) -> int:
        """Return the optimiser steps on a set of `num_images`."""
        if self.updates is not None:
            return self.updates
        return (self.epochs or 0) * -(-num_images // self.batch_size)

    def total_epochs(self, num_images: int) -> float:
        """Return how often each image is seen on average."""
        if self.epochs is not None:
            return float(self.epochs)
        return (self.updates or 0) * min(self.batch_size, num_images) / num_images


def _check_number(name: str, value: float) -> None:
    if name not in (*COUNTS, *NUMBERS):
        known = ", ".join((*COUNTS, *NUMBERS))
        raise RecipeError(f"A protocol has no number '{name}'; it has: {known}.")
    if name in COUNTS and not (isinstance(value, int) and value >= 1):
        raise RecipeError(f"'{name}' of a protocol is a whole number from 1 on, not {value}.")
    if not (math.isfinite(value) and value >= 0):
        raise RecipeError(f"'{name}' of a protocol is a number from 0 on, not {value}.")


_TUNED = Protocol(
    "tuned",
    updates=2500,
    batch_size=128,
    optimiser="adamw",
    learning_rate=1e-3,
    weight_decay=0.01,
    schedule="cosine",
    warmup=0.05,
    networks=3,
    cutmix=0.5,
    all_labels=True,
)

_MUON = replace(
    _TUNED,
    name="muon",
    updates=10_000,
    batch_size=32,
    optimiser="muon",
    learning_rate=3e-3,
    cutmix=0.8,
    label_smoothing=0.1,
)

PROTOCOLS: dict[str, Protocol] = {
    # The protocol of DC, DSA, DM and MTT (Zhao et al. 2021–2023, Cazenavette et al. 2022).
    "standard": Protocol("standard", epochs=1000),
    # The same at the rate that trajectory matching has learned along with the images, as MTT and
    # its successors are judged (Cazenavette et al. 2022, section 3.3).
    "learned": Protocol("learned", epochs=1000, learned_rate=True),
    # The protocol of IDC (Kim et al., ICML 2022; its public code), whose students mix images.
    "idc": Protocol(
        "idc",
        epochs=1000,
        batch_size=64,
        schedule="two_steps",
        networks=3,
        always=("flip", "color"),
        operations=("crop", "scale", "rotate"),
        cutmix=0.5,
    ),
    # The same recipe as `standard` cut short, for work on a CPU.
    "quick": Protocol("quick", updates=2000, batch_size=64),
    # What a training set can give where the field's recipe is not the question; see docs/cli.md.
    "tuned": _TUNED,
    # As many views as `tuned` has, in small batches and by an optimiser that learns more from them.
    "muon": _MUON,
    # Three times as many, each with draws of its own, and by a labeler's feature maps, too.
    "patient": replace(_MUON, name="patient", updates=30_000, singly=True, stage_weight=1.0),
    # Shorter still: tells whether a file teaches at all, for demonstrations.
    "glance": Protocol("glance", updates=500, batch_size=64, networks=1),
}


def named_protocol(name: str) -> Protocol:
    """Return the protocol of a report's name, which may list other numbers behind a colon."""
    return PROTOCOLS[name.partition(":")[0]]

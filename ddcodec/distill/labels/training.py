"""Train a labeler under a rate, or a teacher without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, exp, log, pi
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ddcodec.distill.labels.trainable import TrainableLabeler
from ddcodec.distill.labels.views import cut_together, shifted
from ddcodec.distill.trained.random_streams import random_stream
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.kept.state import check_like, checked_count, restore_optimiser
from ddcodec.networks import precision
from ddcodec.networks.compiling import compiled
from ddcodec.networks.replay import Rate, Replayed

_ORDER, _VIEWS = 200, 201
PROPORTIONAL, INTEGRAL = 10.0, 0.05
"""How the logarithm of λ follows that of size over target: at once, and step by step. Without the
first part sizes swung around the target, and λ by a factor of thirty."""

LARGEST_STEP, SHORT_STEP = 0.01, 30.0
"""Most that the logarithm moves in a step, and in all steps of a short training."""

FIRST_MULTIPLIER = 1e-6

COMPILE_FROM_UPDATES = 2500
"""On a CPU compiling the rate took 20 s of a core, and then saved 18 of the 83 ms of an update."""


@dataclass(frozen=True)
class LabelerSettings:
    """How a labeler or a teacher is trained.

    Attributes:
        epochs: passes over the training part.
        batch_size: images per update.
        weight_rate: of Adam, for weights in quantisation steps.
        other_rate: of Adam, for gains and biases.
        warmup_updates: over which the rates rise.
        cutmix: share of batches that are cut together.
        label_smoothing: share of every target that is spread over all classes.
        shift: in pixels of a side of 32.
        rate_end: share of the training at which the weights have the size of the budget.
        teacher_share: of the targets that come from the teacher, where there is one.
    """

    epochs: float = 24.0
    batch_size: int = 64
    weight_rate: float = 0.015
    other_rate: float = 3e-3
    warmup_updates: int = 300
    cutmix: float = 0.3
    label_smoothing: float = 0.05
    shift: int = 3
    rate_end: float = 0.5
    teacher_share: float = 0.7


class LabelerTraining:
    """Updates of one network, in their order; a function of the arguments on one machine.

    Args:
        part: what it may see.
        network: trained in place, on the device.
        settings: see there.
        seed: of order and views.
        budget_bits: of the weights; None trains without a rate.
        teacher: returns logits of images in grey levels; None trains on the labels alone.

    Attributes:
        done: updates that have been made.
    """

    def __init__(
        self,
        part: TrainingPart,
        network: TrainableLabeler,
        settings: LabelerSettings,
        seed: int,
        budget_bits: float | None = None,
        teacher: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._part, self._network, self._settings = part, network.train(), settings
        self._seed, self._budget_bits, self._teacher = seed, budget_bits, teacher
        self._batch = min(settings.batch_size, len(part.labels))
        self._device = network.out_weight.device
        self._read = part.reader(torch.device("cpu"))
        self._bfloat16 = precision.bfloat16_pays(self._device)
        is_recorded = self._device.type == "cuda"
        self._weights, self._others = (
            torch.optim.Adam(parameters, betas=(0.9, 0.99), capturable=is_recorded)
            for parameters in (network.integer_weights(), network.other_parameters())
        )
        self._weight_rate, self._other_rate = (
            Rate(self._device if is_recorded else None) for _ in range(2)
        )
        self._rate_bits = network.rate_bits
        if self._compiles_its_rate():
            self._rate_bits = compiled(network.rate_bits)
        self._learn = Replayed(self._updated, self._device)
        self._size = Replayed(self._bits, self._device)
        self._log_level, self._multiplier = log(FIRST_MULTIPLIER), FIRST_MULTIPLIER
        self._first_bits: float | None = None
        self.done = 0

    @property
    def updates_per_epoch(self) -> int:
        """Full batches in a pass."""
        return len(self._part.labels) // self._batch

    @property
    def updates(self) -> int:
        """Length of the training."""
        return max(1, round(self._settings.epochs * self.updates_per_epoch))

    def update(self) -> float:
        """Make the next update; return the cross-entropy in nats."""
        number = self.done
        images, targets = self._views(number)
        self._set_rates(number / self.updates, number)
        if self._budget_bits is not None:
            self._steer(float(self._size()), number / self.updates)
        multiplier = torch.tensor(self._multiplier, device=self._device)
        loss = float(self._learn(images, targets, multiplier))
        self.done += 1
        return loss

    def _compiles_its_rate(self) -> bool:
        is_long = self._budget_bits is not None and self.updates >= COMPILE_FROM_UPDATES
        return is_long and self._device.type == "cpu" and precision.compiler_found()

    @torch.no_grad()
    def _bits(self) -> Tensor:
        return self._rate_bits()

    def _updated(self, images: Tensor, targets: Tensor, multiplier: Tensor) -> Tensor:
        self._weights.zero_grad()
        self._others.zero_grad()
        with precision.autocast(self._device, self._bfloat16):
            logits = self._network(images)
        loss = -(targets * F.log_softmax(logits.float(), 1)).sum(1).mean()
        total = loss
        if self._budget_bits is not None:
            total = loss + multiplier * self._rate_bits()
        total.backward()  # type: ignore[no-untyped-call]
        self._weights.step()
        self._others.step()
        return loss.detach()

    def _views(self, number: int) -> tuple[Tensor, Tensor]:
        epoch, at = divmod(number, self.updates_per_epoch)
        order = torch.randperm(
            len(self._part.labels), generator=random_stream(self._seed, _ORDER, epoch)
        )
        rows = order[at * self._batch : (at + 1) * self._batch]
        stream = random_stream(self._seed, _VIEWS, number)
        settings, part = self._settings, self._part
        images = self._read(rows).to(self._device).float()
        reach = round(settings.shift * min(images.shape[2:]) / 32)
        images = shifted(images, reach, stream)
        targets = F.one_hot(part.labels[rows], part.num_classes).float().to(self._device)
        smoothing = settings.label_smoothing
        targets = (1 - smoothing) * targets + smoothing / part.num_classes
        if float(torch.rand((), generator=stream)) < settings.cutmix:
            images, targets = cut_together(images, targets, stream)
        if self._teacher is not None:
            known = self._teacher(images).float().softmax(1)
            targets = settings.teacher_share * known + (1 - settings.teacher_share) * targets
        return images, targets

    def _set_rates(self, progress: float, number: int) -> None:
        warm = min(1.0, (number + 1) / self._settings.warmup_updates)
        share = warm * (0.005 + 0.995 * (1 + cos(pi * progress)) / 2)
        self._weight_rate.set(self._weights, self._settings.weight_rate * share)
        self._other_rate.set(self._others, self._settings.other_rate * share)

    def _steer(self, bits: float, progress: float) -> None:
        """Move the multiplier so that the size follows its way down to the budget."""
        assert self._budget_bits is not None
        if self._first_bits is None:
            self._first_bits = max(bits, self._budget_bits)
        start, end = log(self._first_bits), log(self._budget_bits)
        target = exp(start + (end - start) * min(1.0, progress / self._settings.rate_end))
        excess = log(bits / target)
        largest = max(LARGEST_STEP, SHORT_STEP / self.updates)
        self._log_level += max(-largest, min(largest, INTEGRAL * excess * largest / LARGEST_STEP))
        self._multiplier = exp(self._log_level + PROPORTIONAL * excess)

    def state(self) -> dict[str, Any]:
        """Return everything that updates change."""
        return {
            "done": self.done,
            "network": self._network.state_dict(),
            "weights": self._weights.state_dict(),
            "others": self._others.state_dict(),
            "log_level": self._log_level,
            "first_bits": self._first_bits,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was called; something is raised for a state that does not fit."""
        done = checked_count(state["done"], most=self.updates)
        self._network.load_state_dict(state["network"])
        restore_optimiser(self._weights, state["weights"])
        restore_optimiser(self._others, state["others"])
        check_like(state["log_level"], 0.0)
        if state["first_bits"] is not None:
            check_like(state["first_bits"], 0.0)
        self._log_level, self._first_bits = state["log_level"], state["first_bits"]
        self.done = done

"""The state of a run that all phases share, and what is asked of it again and again."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ddcodec.codec.encode import encoded_size_bytes
from ddcodec.codec.parameters import NetworkTensors, QuantizedTensor
from ddcodec.codec.stream import Content
from ddcodec.distill.labels.plan import LabelPlan
from ddcodec.distill.latents.descent import Descent, Goal
from ddcodec.distill.latents.representation import Parameters, Representation, quantised_parameters
from ddcodec.distill.latents.starting_point import allowed_factor, rescale_steps
from ddcodec.distill.latents.wishes import Wishes, initial_wishes
from ddcodec.distill.rate.post_quantisation import quantise_networks
from ddcodec.distill.rate.rate_control import AIM, adjusted_multiplier
from ddcodec.distill.rate.utilities import Distillation, Likeness
from ddcodec.distill.running.progress import Validate
from ddcodec.distill.running.run_state import check_run_state
from ddcodec.distill.running.time_plan import TimePlan
from ddcodec.format.header import Header
from ddcodec.ranks import ALONE, Ranks
from ddcodec.shares import shared

PROBED_STEPS = 4
"""Steps that are timed and undone where a time is to be met; the first is not counted."""


@dataclass(frozen=True)
class Candidate:
    """A state of the joint phase that was judged.

    Attributes:
        step: after which it was.
        accuracy: on the validation part, in percent.
        tensors: `Run.judged_state` at that time.
    """

    step: int
    accuracy: float
    tensors: dict[str, Any]


@dataclass
class Run:
    """State shared by all phases of one run.

    Attributes:
        representation: latents and weights.
        likeness: the real images that phase 1 resembles.
        header: fixed facts of the file to be.
        class_names: kept in the file, or None.
        budget_bytes: the largest size that meets the budget.
        other_bits: planned or measured bits of everything but latents.
        multiplier: λ, the bits that a unit of squared error is worth.
        fixed_multiplier: whether λ stays, wherever the size falls.
        seed: everything random follows from it.
        plan: of the time there is.
        labels: what students will learn.
        validate: judges candidates of the joint phase; None takes the last one.
        utility: of the joint phase, if there is one.
        wishes: where latents should be, once the joint phase has begun.
        quantised: integer weights, once they are chosen.
        selected: the best candidate so far.
        step_counts: steps of finished phases, by their names.
        ranks: processes that share what is slow; each has all of this, and of equal content.
        generator: source of the randomness that steps take in turn.
    """

    representation: Representation
    likeness: Likeness
    header: Header
    class_names: tuple[str, ...] | None
    budget_bytes: int
    other_bits: float
    multiplier: float
    seed: int
    fixed_multiplier: bool = False
    plan: TimePlan = field(default_factory=TimePlan)
    validate: Validate | None = None
    labels: LabelPlan = field(default_factory=LabelPlan)
    utility: Distillation | None = None
    wishes: Wishes | None = None
    quantised: tuple[NetworkTensors, ...] | None = None
    selected: Candidate | None = None
    step_counts: dict[str, int] = field(default_factory=dict)
    ranks: Ranks = ALONE
    generator: torch.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.generator = torch.Generator(self.representation.device).manual_seed(self.seed)

    @property
    def goal(self) -> Goal:
        """What latents are moved towards: wishes, once there are some, or likeness."""
        return self.wishes or self.likeness

    @property
    def target_bits(self) -> float:
        """Bits that all latents together should take."""
        return max(8 * AIM * self.budget_bytes - self.other_bits, 0.05 * 8 * self.budget_bytes)

    def descent(self, goal: Goal, networks: list[Parameters]) -> Descent:
        """Return a search for changes of latents that bring a goal nearer."""
        curvature = goal.curvature(self.representation, networks, self.generator)
        distortion = goal.distortion(networks)
        return Descent(self.representation, networks, distortion, curvature, ranks=self.ranks)

    def descend(self, networks: list[Parameters], passes: int) -> float:
        """Move latents towards the goal for a while, then λ towards the target; return the bits."""
        started = time.monotonic()
        descent = self.descent(self.goal, networks)
        bits = 0.0
        for _ in range(passes):
            bits = descent.descend(self.multiplier, self.generator)
        if not self.fixed_multiplier:
            self.multiplier = adjusted_multiplier(self.multiplier, bits, self.target_bits)
        self.plan.pass_seconds = (time.monotonic() - started) / passes
        return bits

    def rescale(self, factor: float) -> bool:
        """Multiply the steps of a wavelet, latents and λ following; tell whether they could."""
        factor = allowed_factor(self.representation, factor)
        if factor == 1.0:
            return False
        wishes = self.wishes or self.wishes_for_likeness()
        balanced = rescale_steps(self.representation, wishes.values, factor)
        if not self.fixed_multiplier:
            self.multiplier = balanced
        if self.wishes is not None:
            self.wishes.rescale(factor)
        return True

    def wishes_for_likeness(self) -> Wishes:
        """Return where the real images would have the latents."""
        return initial_wishes(self.representation, self.likeness, self.generator, self.ranks)

    def seconds_a_step(self, step: Callable[[int], object]) -> float:
        """Time a few steps, of which some may compile, and undo what they did to the run.

        What `step`, called with 0, 1, …, changes besides the run is the caller's to undo.
        """
        before = copied(self.state())
        seconds = []
        for number in range(PROBED_STEPS):
            started = time.monotonic()
            step(number)
            seconds.append(time.monotonic() - started)
        self.restore(before)
        return statistics.median(seconds[1:])

    def quantise_networks(self) -> None:
        """Choose integer weights and learn what everything but latents really costs."""
        self.quantised = quantise_networks(self.representation, self.multiplier)
        latents = self.representation.latents.detach()
        latent_bits = self.estimated_latent_bits(latents, self.fixed_networks())
        self.other_bits = 8 * self.size_bytes(latents) - latent_bits

    def fixed_networks(self) -> list[Parameters]:
        """Return the float values of the integer weights."""
        assert self.quantised is not None
        device = self.representation.device
        return [quantised_parameters(tensors, device) for tensors in self.quantised]

    def content(self, latents: Tensor) -> Content:
        """Return the integers of the file for latents N × P under the integer weights."""
        assert self.quantised is not None
        content = self.representation.to_content(latents, self.quantised, self.class_names)
        return self.labels.in_content(content)

    def relabel(self) -> None:
        """Label the images as they are now, where labels follow images."""
        images = self.representation.rendered_images()
        self.labels.look_at(images, self.representation.labels.numpy())

    def size_bytes(self, latents: Tensor) -> int:
        """Really encode latents N × P under the integer weights."""
        started = time.monotonic()
        size = encoded_size_bytes(self.header, self.content(latents))
        self.plan.encode_seconds = time.monotonic() - started
        return size

    def estimated_latent_bits(self, latents: Tensor, networks: list[Parameters]) -> float:
        """Return the float rate of integer latents, N × P, in bits."""
        representation = self.representation
        parts = [
            (number, rows)
            for number in range(len(networks))
            for rows in representation.parts((representation.image_sets == number).nonzero()[:, 0])
        ]

        @torch.no_grad()
        def measure(part: tuple[int, Tensor]) -> list[Tensor]:
            number, rows = part
            own = latents[rows.to(latents.device)]
            return [representation.latent_bits(networks[number], own)]

        return sum(float(bits) for (bits,) in shared(self.ranks, parts, measure, at_once=1))

    def judge(self, step: int) -> float | None:
        """Validate the images as they are and keep the state if none was better before."""
        if self.validate is None or not self.plan.has_time_to_judge:
            return None
        started = time.monotonic()
        images = self.representation.rendered_images()
        accuracy = self.validate(images, self.representation.labels.numpy())
        if self.selected is None or accuracy >= self.selected.accuracy:
            self.selected = Candidate(step, accuracy, copied(self._judged_state()))
        self.plan.validation_seconds = time.monotonic() - started
        return accuracy

    def take_selected(self) -> None:
        """Go back to the best candidate."""
        if self.selected is not None:
            self._restore_judged(self.selected.tensors)

    def _judged_state(self) -> dict[str, Any]:
        networks = [dict(tensors) for tensors in self.representation.networks]
        state = {
            "latents": self.representation.latents,
            "networks": networks,
            "multiplier": self.multiplier,
            "utility": self.utility.state() if self.utility else None,
        }
        return state | {"wishes": self.wishes.state() if self.wishes else None}

    def _restore_judged(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            self.representation.latents.copy_(state["latents"])
            for networks, saved in zip(
                self.representation.networks, state["networks"], strict=True
            ):
                for name, value in networks.items():
                    value.copy_(saved[name])
        self.multiplier = state["multiplier"]
        if self.utility is not None:
            self.utility.restore(state["utility"])
        if state["wishes"] is not None:
            self.wishes = Wishes.from_state(self.representation, state["wishes"])

    def state(self) -> dict[str, Any]:
        """Return everything that phases change, as a checkpoint can hold it."""
        selected = self.selected
        return self._judged_state() | {
            "other_bits": self.other_bits,
            "hints": [list(hint) for hint in self.header.hints],
            "step_counts": dict(self.step_counts),
            "generator": self.generator.get_state(),
            "quantised": None if self.quantised is None else _packed(self.quantised),
            "selected": selected and [selected.step, selected.accuracy, selected.tensors],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned.

        Something is raised, a ValueError or what torch raises, for what a run like this has not
        written.
        """
        check_run_state(self, state)
        self._restore_judged(state)
        self.other_bits = state["other_bits"]
        self.header = replace(
            self.header, hints=tuple((key, value) for key, value in state["hints"])
        )
        self.step_counts = dict(state["step_counts"])
        self.generator.set_state(state["generator"].cpu())
        quantised, selected = state["quantised"], state["selected"]
        self.quantised = None if quantised is None else _unpacked(quantised)
        self.selected = None if selected is None else Candidate(*selected)


def copied(value: Any) -> Any:
    """Return a deep copy of tensors in dicts and lists."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {name: copied(part) for name, part in value.items()}
    return [copied(part) for part in value] if isinstance(value, list) else value


def _packed(quantised: tuple[NetworkTensors, ...]) -> list[dict[str, Any]]:
    return [
        {name: [torch.from_numpy(t.integers), t.step_exponent] for name, t in tensors.items()}
        for tensors in quantised
    ]


def _unpacked(packed: list[dict[str, Any]]) -> tuple[NetworkTensors, ...]:
    return tuple(
        {name: QuantizedTensor(pair[0].numpy(), pair[1]) for name, pair in tensors.items()}
        for tensors in packed
    )

"""The phases of a run: start from real images, fit, optimise jointly, quantise, land on the budget.

Latents are integers from the first fit on. Fitting takes turns between them (`descent.py`) and the
networks, which are trained by gradients on exactly the integers that will be coded. The joint phase
(`joint.py`) moves what the integers stand for by the gradients of a distillation loss.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import cos, pi

import torch
from torch import Tensor

from ddcodec.codec.encode import encoded_size_bytes
from ddcodec.codec.parameters import NetworkTensors
from ddcodec.codec.stream import Content
from ddcodec.distill.descent import Descent, Goal
from ddcodec.distill.joint import Wishes, initial_wishes
from ddcodec.distill.landing import land_on_budget
from ddcodec.distill.post_quantisation import quantise_networks
from ddcodec.distill.rate_control import AIM, adjusted_multiplier
from ddcodec.distill.representation import Parameters, Representation, quantised_parameters
from ddcodec.distill.starting_point import rescale_steps, wavelet_drift
from ddcodec.distill.utilities import Likeness
from ddcodec.errors import BudgetError
from ddcodec.format.header import Header

FIT_ROUNDS = 8
PASSES = 3
"""Sweeps over all latents in one round."""

MOST_SETTLING_ROUNDS = 10
SETTLED = 0.02
"""Relative distance from the target rate that landing bridges without harm."""

MOST_RESCALINGS = 4
FULL = 0.97

STEP_DRIFT = 1.25
"""Factor by which λ may leave its balance with the squared step before the step follows."""

NETWORK_RATES = (1e-2, 5e-4)
"""Learning rates of context networks at the start and the end of the fit."""

DECODER_SHARE = 0.15
"""Learning rate of the decoder, which starts as a transform that already fits, as a share of it."""

_MEASURE_BATCH = 256


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        phase: `pool …`, `start`, `fit`, `joint` or `settle`.
        step, steps: of this phase, from 1.
        rate_bytes: estimated size of the file now; None before there is one.
        budget_bytes: the limit.
        loss: the utility's loss, per image outside `joint`; None where none is computed.
        seconds_left: of this phase.
    """

    phase: str
    step: int
    steps: int
    rate_bytes: float | None
    budget_bytes: int
    loss: float | None
    seconds_left: float


ProgressCallback = Callable[[Progress], None]


@dataclass
class Run:
    """State shared by all phases of one run.

    Attributes:
        representation: latents and weights.
        header: fixed facts of the file to be.
        class_names: kept in the file, or None.
        budget_bytes: the largest size that meets the budget.
        other_bits: planned or measured bits of everything but latents.
        multiplier: λ, the bits that a unit of squared error is worth.
        on_progress: called now and then.
        seed: everything random follows from it.
    """

    representation: Representation
    header: Header
    class_names: tuple[str, ...] | None
    budget_bytes: int
    other_bits: float
    multiplier: float
    on_progress: ProgressCallback
    seed: int
    generator: torch.Generator = field(init=False)
    _phase: str = ""
    _started: float = 0.0

    def __post_init__(self) -> None:
        self.generator = torch.Generator(self.representation.device).manual_seed(self.seed)

    @property
    def target_bits(self) -> float:
        """Bits that all latents together should take."""
        return max(8 * AIM * self.budget_bytes - self.other_bits, 0.05 * 8 * self.budget_bytes)

    def report(
        self, phase: str, step: int, steps: int, latent_bits: float, loss: float | None
    ) -> None:
        """Tell the user where the run stands."""
        if phase != self._phase:
            self._phase, self._started = phase, time.monotonic()
        elapsed = time.monotonic() - self._started
        self.on_progress(
            Progress(
                phase=phase,
                step=step,
                steps=steps,
                rate_bytes=(latent_bits + self.other_bits) / 8,
                budget_bytes=self.budget_bytes,
                loss=loss,
                seconds_left=elapsed / step * (steps - step),
            )
        )

    def train_networks(
        self, likeness: Likeness, phase: str, steps: range, all_steps: int, context_only: bool
    ) -> None:
        """Train networks on the integers as they are, towards less rate and less error.

        Args:
            likeness: the images to resemble.
            phase: shown to the user.
            steps: of the phase, to be done now; they set the learning rate.
            all_steps: length of the phase.
            context_only: leave the decoder as it is.
        """
        representation = self.representation
        named = [item for networks in representation.networks for item in networks.items()]
        contexts = [value for name, value in named if name.startswith("context")]
        # Gains that follow the integers, as integers follow gains, drift from the even steps at
        # which every bit buys the same error.
        still = ("context", "transform.gains")
        decoders = [value for name, value in named if not name.startswith(still)]
        groups = [{"params": contexts}] + [{"params": decoders}] * (not context_only)
        parameters = contexts + decoders * (not context_only)
        optimiser = torch.optim.Adam(groups, lr=NETWORK_RATES[0], betas=(0.9, 0.98))
        for step in steps:
            rate = _cosine(NETWORK_RATES, step / all_steps)
            for group, share in zip(optimiser.param_groups, (1.0, DECODER_SHARE), strict=False):
                group["lr"] = share * rate
            indices = likeness.indices_for_step(step)
            rendering = representation.render(indices, _unchanged)
            error = likeness(rendering, step)
            optimiser.zero_grad()
            objective = self.multiplier * error + rendering.rate_bits
            (objective / len(indices)).backward(inputs=parameters)  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, float("inf"), error_if_nonfinite=True)
            optimiser.step()
            scale = representation.num_images / len(indices)
            bits = scale * float(rendering.rate_bits.detach())
            self.report(phase, step + 1, all_steps, bits, float(error.detach()) / len(indices))

    def fit(self, likeness: Likeness, steps: int) -> None:
        """Take turns between latents and networks, λ following the rate."""
        for number in range(FIT_ROUNDS):
            self.descend(likeness, self.representation.networks, PASSES)
            bounds = [steps * end // FIT_ROUNDS for end in (number, number + 1)]
            self.train_networks(likeness, "fit", range(*bounds), steps, context_only=False)
            if number == FIT_ROUNDS // 2 - 1:
                self.quantise_networks()
            if number < FIT_ROUNDS - 2:
                self._follow_with_steps(likeness)

    def _follow_with_steps(self, likeness: Likeness) -> None:
        """Make the steps of a wavelet finer or coarser where λ says so.

        The same rate can come from fine steps and a small λ or coarse steps and a large one; in
        between lies the least error.
        """
        drift = wavelet_drift(self.representation, self.multiplier)
        if 1 / STEP_DRIFT < drift < STEP_DRIFT:
            return
        # Half way: the rate changes with the step as well as with λ.
        self._rescale(likeness, drift**-0.25)

    def descent(self, goal: Goal, networks: list[Parameters]) -> Descent:
        """Return a search for changes of latents that bring a goal nearer."""
        curvature = goal.curvature(self.representation, networks, self.generator)
        return Descent(self.representation, networks, goal.distortion(networks), curvature)

    def descend(self, goal: Goal, networks: list[Parameters], passes: int) -> float:
        """Move latents for a while, then λ towards the target; return the bits."""
        descent = self.descent(goal, networks)
        bits = 0.0
        for _ in range(passes):
            bits = descent.descend(self.multiplier, self.generator)
        self.multiplier = adjusted_multiplier(self.multiplier, bits, self.target_bits)
        return bits

    def quantise_networks(self) -> tuple[NetworkTensors, ...]:
        """Choose integer weights and learn what everything but latents really costs."""
        quantised = quantise_networks(self.representation, self.multiplier)
        latents = self.representation.latents.detach()
        latent_bits = self.estimated_latent_bits(latents, self.fixed(quantised))
        self.other_bits = 8 * self._size(latents, quantised) - latent_bits
        return quantised

    def fixed(self, quantised: tuple[NetworkTensors, ...]) -> list[Parameters]:
        """Return the float values of integer weights."""
        device = self.representation.device
        return [quantised_parameters(tensors, device) for tensors in quantised]

    def finish(self, goal: Goal, likeness: Likeness) -> Content:
        """Quantise the networks, move latents under them and land on the budget.

        Bits that the goal has no use for make images resemble the real ones.

        Raises:
            BudgetError: if not even a file without latents fits.
        """
        quantised = self._settle(goal)
        networks = self.fixed(quantised)
        latents = self.representation.latents.data
        smallest = self._size(torch.zeros_like(latents), quantised)
        if smallest > self.budget_bytes:
            raise BudgetError(
                f"The file takes {smallest} bytes before any image, above the budget of "
                f"{self.budget_bytes}; give a larger budget or a smaller decoder (--synthesis)."
            )
        for current in (goal, likeness):
            size = land_on_budget(
                self.descent(current, networks),
                latents,
                self.multiplier,
                lambda rows: self._size(rows, quantised),
                self.budget_bytes,
            )
            if size >= FULL * self.budget_bytes:
                break
        return self.representation.to_content(latents, quantised, self.class_names)

    def _settle(self, goal: Goal) -> tuple[NetworkTensors, ...]:
        """Quantise networks and let rate and latents come to rest, with finer steps if need be."""
        for attempt in range(MOST_RESCALINGS):
            quantised = self.quantise_networks()
            networks = self.fixed(quantised)
            bits = 0.0
            for number in range(MOST_SETTLING_ROUNDS):
                bits = self.descend(goal, networks, 1)
                self.report("settle", number + 1, MOST_SETTLING_ROUNDS, bits, None)
                if number > 1 and abs(bits / self.target_bits - 1) < SETTLED:
                    break
            drift = wavelet_drift(self.representation, self.multiplier)
            unused = bits < (1 - SETTLED) * self.target_bits
            if not unused or drift < STEP_DRIFT or attempt == MOST_RESCALINGS - 1:
                break
            self._rescale(goal, drift**-0.5)
        return quantised

    def _rescale(self, goal: Goal, factor: float) -> None:
        """Multiply the steps of a wavelet, latents and λ following."""
        wishes = goal
        if not isinstance(wishes, Wishes):
            wishes = initial_wishes(self.representation, goal, self.generator)
        self.multiplier = rescale_steps(self.representation, wishes.values, factor)
        wishes.rescale(factor)

    def _size(self, latents: Tensor, quantised: tuple[NetworkTensors, ...]) -> int:
        content = self.representation.to_content(latents, quantised, self.class_names)
        return encoded_size_bytes(self.header, content)

    def estimated_latent_bits(self, latents: Tensor, networks: list[Parameters]) -> float:
        """Return the float rate of integer latents, N × P, in bits."""
        total = 0.0
        with torch.no_grad():
            for set_index, parameters in enumerate(networks):
                rows = latents[self.representation.image_sets == set_index]
                for part in torch.split(rows, _MEASURE_BATCH):
                    total += float(self.representation.latent_bits(parameters, part))
        return total


def _unchanged(latents: Tensor) -> Tensor:
    return latents


def _cosine(ends: tuple[float, float], progress: float) -> float:
    start, end = ends
    return end + (start - end) * (1 + cos(pi * min(progress, 1.0))) / 2

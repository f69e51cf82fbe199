"""The phases of a run: fit real images, optimise jointly, quantise, land on the budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ddcodec.codec.encode import encoded_size_bytes
from ddcodec.codec.parameters import NetworkTensors
from ddcodec.codec.quantizer import SoftQuantizer
from ddcodec.codec.stream import Content
from ddcodec.distill.optimiser import LearningRates, Optimiser
from ddcodec.distill.post_quantisation import quantise_networks
from ddcodec.distill.rate_control import AIM, RateController
from ddcodec.distill.representation import Parameters, Representation, quantised_parameters
from ddcodec.distill.utilities import Utility
from ddcodec.errors import BudgetError
from ddcodec.format.header import Header

MOST_FILL_ROUNDS = 8
NEARLY_FULL, HARDLY_OVER = 0.94, 1.08
"""Between these shares of the target rate a phase has used its budget."""

LARGEST_FILL_FACTOR = 1.7
"""How much λ changes from one round of filling to the next, at most."""

STILL_GROWING = 1.005
HEAD_START = 30.0
JOINT_GAIN = 24.0
"""Integral gain of rate control times the steps of a joint phase, which starts at its target."""

LARGEST_BIAS = 0.5
MOST_BISECTIONS = 14
LANDED = 0.995

_MEASURE_BATCH = 256


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        phase: `fit`, `fill` or `joint`.
        step, steps: of this phase, from 1.
        rate_bytes: estimated size of the file now.
        budget_bytes: the limit.
        loss: the utility's loss, per image for `fit`.
        seconds_left: of this phase.
    """

    phase: str
    step: int
    steps: int
    rate_bytes: float
    budget_bytes: int
    loss: float
    seconds_left: float


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True)
class Phase:
    """One stretch of optimisation.

    Attributes:
        name: shown to the user.
        steps: number of gradient steps.
        utility: what is traded against the rate.
        rates: learning rates.
    """

    name: str
    steps: int
    utility: Utility
    rates: LearningRates


@dataclass
class Run:
    """State shared by all phases of one run.

    Attributes:
        representation: latents and weights.
        header: fixed facts of the file to be.
        class_names: kept in the file, or None.
        budget_bytes: the largest size that meets the budget.
        other_bits: planned or measured bits of everything but latents.
        controller: the multiplier on the utility.
        on_progress: called now and then.
    """

    representation: Representation
    header: Header
    class_names: tuple[str, ...] | None
    budget_bytes: int
    other_bits: float
    controller: RateController
    on_progress: ProgressCallback
    seed: int
    _generator: torch.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._generator = torch.Generator(self.representation.device).manual_seed(self.seed)

    @property
    def target_bits(self) -> float:
        """Bits that all latents together should take."""
        return max(8 * AIM * self.budget_bytes - self.other_bits, 0.05 * 8 * self.budget_bytes)

    def optimise(self, phase: Phase, softness: tuple[float, float] = (0.0, 1.0)) -> None:
        """Run a phase; soft rounding hardens from one degree to the other over its steps."""
        optimiser = Optimiser(self.representation, phase.rates)
        started = time.monotonic()
        first, last = softness
        for step in range(phase.steps):
            hardness = first + (last - first) * step / phase.steps
            self._step(phase, optimiser, step, self._quantizer(hardness), started)

    def fill(self, phase: Phase) -> None:
        """Repeat a short phase, λ changed from round to round, until the rate is near its target.

        Stops early where finer latents no longer make the file larger.
        """
        used = self._used_bits()
        for _ in range(MOST_FILL_ROUNDS):
            share = used / self.target_bits
            if NEARLY_FULL <= share <= HARDLY_OVER:
                return
            factor = min(max(1 / share, 1 / LARGEST_FILL_FACTOR), LARGEST_FILL_FACTOR)
            self.controller.multiplier *= factor
            self.controller.freeze()
            self.optimise(phase, softness=(1.0, 1.0))
            before, used = used, self._used_bits()
            if before < used < STILL_GROWING * before and share < 0.5:
                return

    def balance(self, phase: Phase) -> None:
        """Start λ well above where rate and utility pull equally hard on the latents.

        The phase before ended at the target rate. Less weight on the utility would take bits away
        that no later step brings back in a useful place.
        """
        quantizer = self._quantizer(0.0)
        rendering = self.representation.render(phase.utility.indices_for_step(0), quantizer)
        latents = self.representation.latents
        loss = phase.utility(rendering, 0)
        (of_loss,) = torch.autograd.grad(loss, latents, retain_graph=True)
        (of_rate,) = torch.autograd.grad(rendering.rate_bits, latents)
        pull = float(of_loss.coalesce().values().norm())
        balanced = float(of_rate.coalesce().values().norm()) / max(pull, 1e-30)
        self.controller = RateController(HEAD_START * balanced, JOINT_GAIN / phase.steps)

    def quantise_networks(self, error_weight_bits: float) -> tuple[NetworkTensors, ...]:
        """Choose integer weights and learn what everything but latents really costs."""
        quantised = quantise_networks(self.representation, error_weight_bits)
        latents = self.representation.rounded_latents()
        latent_bits = self.estimated_latent_bits(latents, self.fixed(quantised))
        self.other_bits = 8 * self._size(latents, quantised) - latent_bits
        return quantised

    def fixed(self, quantised: tuple[NetworkTensors, ...]) -> list[Parameters]:
        """Return the float values of integer weights."""
        device = self.representation.device
        return [quantised_parameters(tensors, device) for tensors in quantised]

    def land(self, quantised: tuple[NetworkTensors, ...]) -> Content:
        """Round the latents with the bias that makes the really coded file fill the budget.

        A latent x becomes sign(x) · floor(|x| + ½ − bias): a positive bias is a dead zone. Training
        brings the size near the budget; bisection over coded sizes does the rest.

        Raises:
            BudgetError: if the coarsest rounding stays above the budget.
        """
        finest, coarsest = -LARGEST_BIAS, LARGEST_BIAS
        bias, best, best_size = 0.0, None, 0
        for _ in range(MOST_BISECTIONS):
            latents = self.representation.rounded_latents(bias)
            size = self._size(latents, quantised)
            if size <= self.budget_bytes:
                coarsest = bias
                if size > best_size:
                    best, best_size = latents, size
                if size >= LANDED * self.budget_bytes:
                    break
            else:
                finest = bias
            bias = (finest + coarsest) / 2
        if best is None:
            best = self._zero_tail(quantised)
        return self.representation.to_content(best, quantised, self.class_names)

    def _zero_tail(self, quantised: tuple[NetworkTensors, ...]) -> Tensor:
        """Clear fine latents of the coarsest rounding until the file fits.

        Raises:
            BudgetError: if even a file without latents does not fit.
        """
        latents = self.representation.rounded_latents(LARGEST_BIAS)
        kept, dropped = 0, latents.shape[1]
        positions = torch.arange(latents.shape[1], 0, -1, device=latents.device)
        smallest = self._size(torch.zeros_like(latents), quantised)
        if smallest > self.budget_bytes:
            raise BudgetError(
                f"The file takes {smallest} bytes before any image, above the budget of "
                f"{self.budget_bytes}; give a larger budget or a smaller decoder (--synthesis)."
            )
        while dropped - kept > 1:
            count = (kept + dropped) // 2
            if self._size(latents * (positions <= count), quantised) <= self.budget_bytes:
                kept = count
            else:
                dropped = count
        return latents * (positions <= kept)

    def _used_bits(self) -> float:
        """Return the estimated bits of all latents, rounded, under the current networks."""
        with torch.no_grad():
            return self.estimated_latent_bits(
                self.representation.rounded_latents(), self.representation.networks
            )

    def _size(self, latents: Tensor, quantised: tuple[NetworkTensors, ...]) -> int:
        content = self.representation.to_content(latents, quantised, self.class_names)
        return encoded_size_bytes(self.header, content)

    def estimated_latent_bits(self, latents: Tensor, networks: list[Parameters]) -> float:
        """Return the float rate of rounded latents, N × P, in bits."""
        total = 0.0
        with torch.no_grad():
            for set_index, parameters in enumerate(networks):
                rows = latents[self.representation.image_sets == set_index]
                for part in torch.split(rows, _MEASURE_BATCH):
                    levels = self.representation.levels(part)
                    total += float(self.representation.latent_bits(parameters, levels))
        return total

    def _step(
        self,
        phase: Phase,
        optimiser: Optimiser,
        step: int,
        quantizer: SoftQuantizer,
        started: float,
    ) -> None:
        indices = phase.utility.indices_for_step(step)
        rendering = self.representation.render(indices, quantizer)
        loss = phase.utility(rendering, step)
        total_bits = float(rendering.rate_bits.detach()) * (
            self.representation.num_images / len(indices)
        )
        multiplier = self.controller.update(total_bits, self.target_bits)
        # Dividing by 1 + λ keeps the objective's scale whichever term leads.
        objective = (multiplier * loss + rendering.rate_bits) / (1 + multiplier)
        optimiser.step(objective, step / phase.steps)
        elapsed = time.monotonic() - started
        self.on_progress(
            Progress(
                phase=phase.name,
                step=step + 1,
                steps=phase.steps,
                rate_bytes=(total_bits + self.other_bits) / 8,
                budget_bytes=self.budget_bytes,
                loss=float(loss.detach()) / len(indices),
                seconds_left=elapsed / (step + 1) * (phase.steps - step - 1),
            )
        )

    def _quantizer(self, hardness: float) -> SoftQuantizer:
        return SoftQuantizer(0.3 - 0.2 * hardness, 2.0 - hardness, self._generator)

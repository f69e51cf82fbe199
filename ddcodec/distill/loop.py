"""The phases of a run: fit real images, optimise jointly, quantise, land on the budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ddcodec.codec.encode import encoded_size_bytes
from ddcodec.codec.parameters import NetworkTensors
from ddcodec.codec.quantizer import SoftQuantizer, StraightThrough
from ddcodec.codec.stream import Content
from ddcodec.distill.optimiser import LearningRates, Optimiser
from ddcodec.distill.post_quantisation import quantise_networks
from ddcodec.distill.rate_control import AIM, RateController
from ddcodec.distill.representation import Parameters, Representation, quantised_parameters
from ddcodec.distill.utilities import Utility
from ddcodec.errors import BudgetError
from ddcodec.format.header import Header

HARD_SHARE = 0.25
"""Last part of a phase that trains through hard rounding instead of soft rounding with noise."""

MOST_LANDING_ROUNDS = 40
_MEASURE_BATCH = 256


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        phase: `fit`, `joint` or `land`.
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
        budget_bytes, floor_bytes: largest and smallest size that meets the budget.
        other_bits: planned or measured bits of everything but latents.
        controller: the multiplier on the utility.
        on_progress: called now and then.
    """

    representation: Representation
    header: Header
    class_names: tuple[str, ...] | None
    budget_bytes: int
    floor_bytes: int
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

    def optimise(self, phase: Phase) -> None:
        """Run a phase with trainable networks."""
        optimiser = Optimiser(self.representation, phase.rates)
        started = time.monotonic()
        for step in range(phase.steps):
            progress = step / phase.steps
            self._step(phase, optimiser, step, progress, self._quantizer(progress), None, started)

    def balance(self, phase: Phase) -> None:
        """Start λ where rate and utility pull equally hard on the latents."""
        quantizer = self._quantizer(0.0)
        rendering = self.representation.render(phase.utility.indices_for_step(0), quantizer)
        latents = self.representation.latents
        loss = phase.utility(rendering, 0)
        (of_loss,) = torch.autograd.grad(loss, latents, retain_graph=True)
        (of_rate,) = torch.autograd.grad(rendering.rate_bits, latents)
        pull = float(of_loss.coalesce().values().norm())
        balanced = float(of_rate.coalesce().values().norm()) / max(pull, 1e-30)
        self.controller = RateController.for_steps(balanced, phase.steps)

    def land(self, phase: Phase, error_weight_bits: float) -> Content:
        """Quantise the networks, then adjust latents until the coded file meets the budget.

        Returns:
            Content whose file is within the budget; below its floor only if finer latents
            stopped making it larger.

        Raises:
            BudgetError: if the file stays above the budget whatever the latents.
        """
        quantised = quantise_networks(self.representation, error_weight_bits)
        device = self.representation.device
        networks = [quantised_parameters(tensors, device) for tensors in quantised]
        optimiser = Optimiser(self.representation, phase.rates)
        self.controller.hold(gain=0.02)
        sizes: list[int] = []
        best: Content | None = None
        for _ in range(MOST_LANDING_ROUNDS):
            content, size = self._measure(quantised, networks)
            sizes.append(size)
            if size <= self.budget_bytes:
                best = content
            settled = len(sizes) > 3 and abs(sizes[-1] / sizes[-4] - 1) < 0.002
            if len(sizes) > 1 and (self.floor_bytes <= size <= self.budget_bytes):
                return content
            if settled and size < self.floor_bytes:
                break
            started = time.monotonic()
            for step in range(phase.steps):
                self._step(phase, optimiser, step, 0.5, StraightThrough(), networks, started)
        if best is None:
            raise BudgetError(
                f"The file stays at {min(sizes)} bytes, above the budget of {self.budget_bytes}; "
                "give a larger budget, fewer images (--spc) or a smaller decoder (--synthesis)."
            )
        return best

    def estimated_latent_bits(self, networks: list[Parameters]) -> float:
        """Return the float rate of all rounded latents in bits."""
        rounded = self.representation.rounded_latents()
        total = 0.0
        with torch.no_grad():
            for set_index, parameters in enumerate(networks):
                rows = rounded[self.representation.image_sets == set_index]
                for part in rows.split(_MEASURE_BATCH):
                    levels = self.representation.levels(part)
                    total += float(self.representation.latent_bits(parameters, levels))
        return total

    def _measure(
        self, quantised: tuple[NetworkTensors, ...], networks: list[Parameters]
    ) -> tuple[Content, int]:
        """Really encode, and learn from it what everything but latents costs."""
        content = self.representation.to_content(quantised, self.class_names)
        size = encoded_size_bytes(self.header, content)
        self.other_bits = 8 * size - self.estimated_latent_bits(networks)
        return content, size

    def _step(
        self,
        phase: Phase,
        optimiser: Optimiser,
        step: int,
        progress: float,
        quantizer: Callable[[Tensor], Tensor],
        networks: list[Parameters] | None,
        started: float,
    ) -> None:
        indices = phase.utility.indices_for_step(step)
        rendering = self.representation.render(indices, quantizer, networks)
        loss = phase.utility(rendering, step)
        total_bits = float(rendering.rate_bits.detach()) * (
            self.representation.num_images / len(indices)
        )
        multiplier = self.controller.update(total_bits, self.target_bits)
        # Dividing by 1 + λ keeps the objective's scale whichever term leads.
        objective = (multiplier * loss + rendering.rate_bits) / (1 + multiplier)
        optimiser.step(objective, progress)
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

    def _quantizer(self, progress: float) -> Callable[[Tensor], Tensor]:
        soft = progress / (1 - HARD_SHARE)
        if soft >= 1:
            return StraightThrough()
        return SoftQuantizer(0.3 - 0.2 * soft, 2.0 - soft, self._generator)

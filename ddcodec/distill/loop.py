"""The phases of a run: fit real images, optimise jointly, quantise, land on the budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

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

MOST_LANDING_ROUNDS = 40
NEARLY_FULL = 0.995
SETTLED_ROUNDS = 6
SETTLED_GROWTH = 1.005
"""A file that stays below its floor is finished when so many rounds add less than this."""

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
        hard: whether to train through hard rounding instead of soft rounding with noise.
    """

    name: str
    steps: int
    utility: Utility
    rates: LearningRates
    hard: bool = False


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

    def optimise(self, phase: Phase, networks: list[Parameters] | None = None) -> None:
        """Run a phase with the trainable networks, or with given fixed ones."""
        optimiser = Optimiser(self.representation, phase.rates)
        started = time.monotonic()
        for step in range(phase.steps):
            progress = step / phase.steps
            quantizer = StraightThrough() if phase.hard else self._soft_quantizer(progress)
            self._step(phase, optimiser, step, quantizer, networks, started)

    def balance(self, phase: Phase) -> None:
        """Start λ where rate and utility pull equally hard on the latents."""
        quantizer = self._soft_quantizer(0.0)
        rendering = self.representation.render(phase.utility.indices_for_step(0), quantizer)
        latents = self.representation.latents
        loss = phase.utility(rendering, 0)
        (of_loss,) = torch.autograd.grad(loss, latents, retain_graph=True)
        (of_rate,) = torch.autograd.grad(rendering.rate_bits, latents)
        pull = float(of_loss.coalesce().values().norm())
        balanced = float(of_rate.coalesce().values().norm()) / max(pull, 1e-30)
        self.controller = RateController.for_steps(balanced, phase.steps)

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

    def land(self, phase: Phase, quantised: tuple[NetworkTensors, ...]) -> Content:
        """Tune the latents, λ held in each round, until the coded file meets the budget.

        Where one round ends above the budget and another below its floor, some images are
        taken from either, so that the budget is filled.

        Returns:
            Content whose file is within the budget; below its floor only if finer latents
            stopped making it larger.

        Raises:
            BudgetError: if the file stays above the budget whatever the latents.
        """
        over: Tensor | None = None
        under: Tensor | None = None
        sizes = [self._size(self.representation.rounded_latents(), quantised)]
        for _ in range(MOST_LANDING_ROUNDS):
            self.controller.freeze()
            self.optimise(
                _landing_phase(phase, sizes[-1] / self.budget_bytes), self.fixed(quantised)
            )
            latents = self.representation.rounded_latents()
            sizes.append(self._size(latents, quantised))
            if self.floor_bytes <= sizes[-1] <= self.budget_bytes:
                return self.representation.to_content(latents, quantised, self.class_names)
            factor = 3.0 if abs(sizes[-1] / self.budget_bytes - 1) > 0.1 else 1.5
            if sizes[-1] > self.budget_bytes:
                over = latents
                self.controller.multiplier /= factor
            else:
                under = latents
                self.controller.multiplier *= factor
            if over is not None and under is not None:
                return self._mix(over, under, quantised)
            recent = sizes[-SETTLED_ROUNDS:]
            settled = max(recent) < SETTLED_GROWTH * min(recent)
            if len(sizes) > SETTLED_ROUNDS and over is None and settled:
                break
        if under is None:
            raise BudgetError(
                f"The file stays at {min(sizes)} bytes, above the budget of {self.budget_bytes}; "
                "give a larger budget, fewer images (--spc) or a smaller decoder (--synthesis)."
            )
        return self.representation.to_content(under, quantised, self.class_names)

    def _mix(self, over: Tensor, under: Tensor, quantised: tuple[NetworkTensors, ...]) -> Content:
        """Take as much from the larger state as the budget holds, the rest from the other.

        Images change over one by one in random order, the last of them latent by latent.
        """
        generator = torch.Generator().manual_seed(self.seed)
        rank = torch.randperm(len(over), generator=generator).to(over.device)
        latents_per_image = over.shape[1]
        place = rank[:, None] * latents_per_image + torch.arange(latents_per_image).to(rank)

        fits, exceeds = 0, over.numel()
        while exceeds - fits > 1:
            count = (fits + exceeds) // 2
            size = self._size(over.where(place < count, under), quantised)
            if size <= self.budget_bytes:
                fits = count
                if size >= NEARLY_FULL * self.budget_bytes:
                    break
            else:
                exceeds = count
        mixed = over.where(place < fits, under)
        return self.representation.to_content(mixed, quantised, self.class_names)

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

    def _soft_quantizer(self, progress: float) -> SoftQuantizer:
        return SoftQuantizer(0.3 - 0.2 * progress, 2.0 - progress, self._generator)


def _landing_phase(phase: Phase, share: float) -> Phase:
    """Return a round with steps as large as the gap to the budget asks for."""
    rate = min(max(0.3 * abs(share - 1), 0.005), 0.1)
    return replace(phase, rates=LearningRates(latents=(rate, rate / 3), networks=None))

"""Training networks by gradients on exactly the integers that will be coded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ddcodec.distill.latents.optimiser import cosine
from ddcodec.distill.latents.representation import unquantized
from ddcodec.distill.running.run import Run
from ddcodec.distill.running.weight_rate import WeightRate
from ddcodec.kept.state import restore_optimiser

NETWORK_RATES = (1e-2, 5e-4)
"""Learning rates of context networks at the start and the end of a phase."""

DECODER_SHARE = 0.15
"""Learning rate of the decoder, which starts as a transform that already fits, as a share of it."""


class NetworkFit:
    """Steps of Adam towards less rate, of latents and of weights, and less error.

    Args:
        run: its networks are changed, its latents are not.
        steps: length of the phase, which sets the learning rate.
        context_only: leave the decoder as it is.
    """

    def __init__(self, run: Run, steps: int, context_only: bool) -> None:
        self._run = run
        self._steps = steps
        self._context_only = context_only
        named = [item for networks in run.representation.networks for item in networks.items()]
        contexts = [value for name, value in named if name.startswith("context")]
        # Gains that follow the integers, as integers follow gains, drift from the even steps at
        # which every bit buys the same error.
        still = ("context", "transform.gains")
        decoders = [value for name, value in named if not name.startswith(still)]
        groups = [{"params": contexts}] + [{"params": decoders}] * (not context_only)
        self._parameters = contexts + decoders * (not context_only)
        self._optimiser = torch.optim.Adam(groups, lr=NETWORK_RATES[0], betas=(0.9, 0.98))
        self._weight_rate = WeightRate.of(run)

    def step(self, step: int) -> tuple[float, float | None, int]:
        """Make a step.

        Returns:
            Bits of all latents, the error of an image (None where only contexts are trained, which
            it does not depend on), and images seen.
        """
        run, representation = self._run, self._run.representation
        rate = cosine(NETWORK_RATES, step / self._steps)
        for group, share in zip(self._optimiser.param_groups, (1.0, DECODER_SHARE), strict=False):
            group["lr"] = share * rate
        indices = run.likeness.indices_for_step(step)
        self._optimiser.zero_grad()
        bits = error = 0.0
        for number, part in enumerate(representation.parts(indices)):
            rate_bits, part_error = self._looked_at(part, step)
            objective = rate_bits if part_error is None else run.multiplier * part_error + rate_bits
            objective = objective / len(indices)
            if self._weight_rate is not None and number == 0:
                weight_bits = self._weight_rate.bits(representation.networks)
                objective = objective + weight_bits / representation.num_images
            objective.backward(inputs=self._parameters)  # type: ignore[no-untyped-call]
            bits += float(rate_bits.detach())
            error += 0.0 if part_error is None else float(part_error.detach())
        torch.nn.utils.clip_grad_norm_(self._parameters, float("inf"), error_if_nonfinite=True)
        self._optimiser.step()
        bits *= representation.num_images / len(indices)
        return bits, None if self._context_only else error / len(indices), len(indices)

    def _looked_at(self, indices: Tensor, step: int) -> tuple[Tensor, Tensor | None]:
        """Return the bits and the error of some images, the latter None for contexts only."""
        representation = self._run.representation
        if self._context_only:
            return representation.rate_bits(indices, unquantized), None
        rendering = representation.render(indices, unquantized)
        return rendering.rate_bits, self._run.likeness(rendering, step)

    def state(self) -> dict[str, Any]:
        """Return the state of the optimiser and the scales of weights."""
        rate = self._weight_rate
        return {
            "optimiser": self._optimiser.state_dict(),
            "weight_rate": None if rate is None else rate.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was called."""
        restore_optimiser(self._optimiser, state["optimiser"])
        self._weight_rate = WeightRate.from_state(self._run, state["weight_rate"])

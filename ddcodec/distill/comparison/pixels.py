"""The plain method of the field, for comparison: free pixels, optimised by the loss alone.

Images start as real ones, gradients of the loss move their pixels, and the result is rounded to
uint8 and coded without loss. The rate has no say, so that the number of images is all that the
budget decides: it is foreseen from the size of the real images, corrected half way, when optimised
images have become harder to code, and made to fit at the end.
"""

from __future__ import annotations

import time
from copy import copy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding

from ddcodec.codec.context.context import CONTEXT_MODELS, ContextModel
from ddcodec.codec.encode import (
    EncodedFile,
    encode_content,
    encode_payload,
    encoded_size_bytes,
)
from ddcodec.codec.parameters import NetworkTensors
from ddcodec.codec.pixels import PixelSynthesis
from ddcodec.codec.stream import Content
from ddcodec.distill.comparison.image_counts import largest_that_fits, spread_evenly
from ddcodec.distill.comparison.pixel_context import ContextFit, fit_pixel_context
from ddcodec.distill.comparison.pixel_task import Integers, PixelFile, PixelSettings, PixelTask
from ddcodec.distill.latents.optimiser import cosine, set_rate
from ddcodec.distill.latents.representation import Rendering, Representation, quantised_parameters
from ddcodec.distill.rate.allocation import Allocation, default_context_width
from ddcodec.distill.rate.images_per_class import fixed_counts
from ddcodec.distill.rate.post_quantisation import quantise_networks
from ddcodec.distill.rate.utilities import Distillation, student_hints
from ddcodec.distill.running.progress import Progress
from ddcodec.errors import BudgetError
from ddcodec.format.container import pack_container
from ddcodec.format.header import Header
from ddcodec.format.student_recipe import Hints

DARKEST, BRIGHTEST = -128, 127
"""Bounds of a latent that is a pixel."""

MOST_STARTS = 4
FULL = 0.97


def distill_pixels(task: PixelTask, settings: PixelSettings | None = None) -> PixelFile:
    """Optimise pixels by a loss alone and code them without loss within a budget.

    The file fills the budget to within one image.

    Raises:
        BudgetError: if not every class gets an image, or not the number that the user fixed.
        DataError: if a class has fewer images than the user fixed.
    """
    run = _PixelRun(task, settings or PixelSettings())
    counts = run.first_counts()
    for attempt in range(MOST_STARTS):
        representation = run.represent(counts)
        hints: Hints = ()
        if task.distillation is not None:
            hints = run.optimise(representation, task.distillation(representation))
        file = run.finish(representation, hints)
        used = len(file.encoded.data) / task.budget.budget_bytes
        more = spread_evenly(round(int(counts.sum()) / used * 1.1) + 1, task.available_counts)
        fixed = task.has_fixed_counts or task.distillation is not None
        if fixed or used >= FULL or more.sum() <= counts.sum() or attempt == MOST_STARTS - 1:
            break
        counts = more
    return file


class _PixelRun:
    """The steps of one run, in their order."""

    def __init__(self, task: PixelTask, settings: PixelSettings) -> None:
        self._task = task
        self._settings = settings
        channels, height, width = task.images.shape[1:]
        self._synthesis = PixelSynthesis(channels, height, width)
        self._context = ContextModel(
            CONTEXT_MODELS["pixels"],
            task.context_width or default_context_width(task.budget.budget_bytes),
            settings.context_depth,
            self._synthesis.planes,
        )
        self._phase, self._started = "", 0.0

    def represent(self, counts: Integers) -> Representation:
        """Return real images as latents under an untrained context model."""
        task = self._task
        sets = np.zeros(len(counts), dtype=np.int64)
        synthesis = self._synthesis
        representation = Representation(
            counts, sets, self._context, synthesis, task.seed, task.device
        )
        rows = torch.from_numpy(synthesis.latents_of(task.choose(counts)))
        representation.latents.data.copy_(rows)
        return representation

    def first_counts(self) -> Integers:
        """Return how many images of each class to begin with."""
        task = self._task
        if task.keeps_all:
            return task.available_counts
        if task.images_per_class is not None:
            return fixed_counts(task.images_per_class, task.available_counts)
        count = max(self._settings.probe_images, len(task.available_counts))
        probe = self.represent(spread_evenly(count, task.available_counts))
        return self._foreseen(probe, self._settings.surplus, task.available_counts)

    def _foreseen(
        self, representation: Representation, surplus: float, available: Integers
    ) -> Integers:
        """Return numbers of images like these that fill the budget, and a few more."""
        networks = self._fit(representation, self._settings.probe_fit, "measure")
        header = self._header(representation, ())
        content = self._content(representation, networks)
        payload, section_bits = encode_payload(header, content)
        latent_bytes = _latent_bits(section_bits) / 8
        room = self._task.budget.budget_bytes + latent_bytes
        room -= len(pack_container(header, payload, 0))
        fitting = max(0.0, room) / latent_bytes * representation.num_images
        return spread_evenly(round(fitting * (1 + surplus)) + 1, available)

    def optimise(self, representation: Representation, utility: Distillation) -> Hints:
        """Descend on the loss, the number of images being corrected on the way."""
        task, steps = self._task, self._task.steps
        own = list(utility.parameters)
        own_optimiser = torch.optim.Adam(own, lr=self._settings.loss_rate) if own else None
        recount = round(self._settings.recount_at * steps)
        optimiser = torch.optim.SparseAdam([representation.latents])
        for step in range(steps):
            if step == recount and step > 0 and not task.has_fixed_counts:
                representation.keep_first(self._recount(representation))
                optimiser = torch.optim.SparseAdam([representation.latents])
            set_rate(optimiser, cosine(self._settings.learning_rates, step / steps))
            loss = _loss(representation, utility, step)
            optimiser.zero_grad()
            if own_optimiser is not None:
                own_optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()  # type: ignore[no-untyped-call]
            if own_optimiser is not None:
                own_optimiser.step()
            representation.latents.data.clamp_(DARKEST, BRIGHTEST)
            self._report("joint", step + 1, steps, None, float(loss.detach()))
        return student_hints(utility)

    def _recount(self, representation: Representation) -> Integers:
        """Return how many of half-optimised images to go on with."""
        rounded = copy(representation)
        rounded.latents = representation.latents.detach().round()
        # They grow little from here on, unlike real ones.
        surplus = self._settings.surplus / 2
        return self._foreseen(rounded, surplus, representation.class_counts)

    def finish(self, representation: Representation, hints: Hints) -> PixelFile:
        """Round pixels, fit the context model, keep the images that fit, and encode.

        Raises:
            BudgetError: if not every class gets an image, or not the number that the user fixed.
        """
        task = self._task
        representation.latents.data.round_()
        networks = self._fit(representation, self._settings.final_fit, "fit")

        def kept(count: int) -> Representation:
            smaller = copy(representation)
            smaller.keep_first(spread_evenly(count, representation.class_counts))
            return smaller

        def size(count: int) -> int:
            smaller = kept(count)
            header, content = self._header(smaller, hints), self._content(smaller, networks)
            return encoded_size_bytes(header, content)

        most = representation.num_images
        count = largest_that_fits(most, lambda n: size(n) <= task.budget.budget_bytes)
        fixed = task.has_fixed_counts
        fewest = most if fixed else int(np.count_nonzero(representation.class_counts))
        if count < fewest:
            raise BudgetError(_too_small(size(fewest), fewest, task))
        final = kept(count)
        header = self._header(final, hints)
        encoded = encode_content(header, self._content(final, networks))
        return PixelFile(
            encoded,
            Allocation(final.class_counts, final.class_sets, self._context, self._synthesis),
            self._estimated_bytes(final, header, networks, encoded),
            task.choose(final.class_counts),
        )

    def _fit(
        self, representation: Representation, fit: ContextFit, phase: str
    ) -> tuple[NetworkTensors, ...]:
        def report(step: int, steps: int, bits: float) -> None:
            self._report(phase, step, steps, bits / 8, None)

        fit_pixel_context(representation, fit, self._task.seed, report)
        return quantise_networks(representation, 0.0)

    def _header(self, representation: Representation, hints: Hints) -> Header:
        task = self._task
        header = representation.header(task.mean, task.std, task.class_names is not None)
        return replace(header, hints=hints)

    def _content(
        self, representation: Representation, networks: tuple[NetworkTensors, ...]
    ) -> Content:
        latents = representation.latents.detach()
        return representation.to_content(latents, networks, self._task.class_names)

    @torch.no_grad()
    def _estimated_bytes(
        self,
        representation: Representation,
        header: Header,
        networks: tuple[NetworkTensors, ...],
        encoded: EncodedFile,
    ) -> float:
        """Return the float rate of the pixels plus the coded size of the rest."""
        parameters = quantised_parameters(networks[0], representation.device)
        rows = torch.split(representation.latents, self._settings.final_fit.batch_images)
        bits = sum(float(representation.latent_bits(parameters, part)) for part in rows)
        bits += sum(encoded.section_bits.values()) - _latent_bits(encoded.section_bits)
        return bits / 8 + len(pack_container(header, b"", 0))

    def _report(
        self, phase: str, step: int, steps: int, rate_bytes: float | None, loss: float | None
    ) -> None:
        if phase != self._phase or step == 1:
            self._phase, self._started = phase, time.monotonic()
        elapsed = time.monotonic() - self._started
        self._task.on_progress(
            Progress(
                phase=phase,
                step=step,
                steps=steps,
                rate_bytes=rate_bytes,
                budget_bytes=self._task.budget.budget_bytes,
                loss=loss,
                seconds_left=elapsed / step * (steps - step),
            )
        )


def _loss(representation: Representation, utility: Distillation, step: int) -> Tensor:
    indices = utility.indices_for_step(step)
    rows = embedding(indices.to(representation.device), representation.latents, sparse=True)
    images = representation.synthesis.render({}, rows)
    return utility(Rendering(images, images.new_zeros(()), indices), step)


def _latent_bits(section_bits: dict[str, float]) -> float:
    return sum(bits for name, bits in section_bits.items() if name.startswith("latents"))


def _too_small(size: int, images: int, task: PixelTask) -> str:
    per_class = -(-size // task.budget.num_classes)
    fewer = "" if task.keeps_all else " by --spc"
    return (
        f"{images} images of pixels coded without loss take {size} bytes, above the budget of "
        f"{task.budget.budget_bytes}; give at least about {per_class} bytes per class, or fewer "
        f"images{fewer}."
    )

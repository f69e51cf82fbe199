"""The trainable form of a file: latents and network weights as float tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.parameters import NetworkTensors
from ddcodec.codec.stream import Content
from ddcodec.codec.synthesis import Synthesis
from ddcodec.entropy.laplace import SYMBOL_LIMIT, LaplaceModel
from ddcodec.format.header import LABEL_MODE_HARD, Header

Quantizer = Callable[[Tensor], Tensor]
Parameters = dict[str, Tensor]

PART_IMAGES = 256
PART_LATENTS = {"cpu": 1 << 20, "cuda": 1 << 24}
"""Images, and latents, gone through together; bounds the memory. Fewer take no less time each."""

LEAST_IMAGES = 8
"""How many stand for all at least."""


def unquantized(latents: Tensor) -> Tensor:
    """Return latents as they are: a quantizer for what is integer already, or may stay real."""
    return latents


@dataclass(frozen=True)
class Rendering:
    """Some images of the set, in the order they were asked for.

    Attributes:
        images: B × C × H × W, float; pixel value is 256 · value − ½.
        rate_bits: estimated bits of their latents, a scalar.
        indices: which images, int64.
    """

    images: Tensor
    rate_bits: Tensor
    indices: Tensor


class Representation:
    """Latents of all images and one set of networks per group of classes.

    Args:
        class_counts: images per class, int64.
        class_sets: network set of each class, int64.
        context: architecture of the context model.
        synthesis: architecture of upsampler and decoder.
        seed: of the initial weights and latents.
        device: where everything lives.
    """

    def __init__(
        self,
        class_counts: NDArray[np.int64],
        class_sets: NDArray[np.int64],
        context: ContextModel,
        synthesis: Synthesis,
        seed: int,
        device: torch.device,
    ) -> None:
        self.class_counts = class_counts
        self.class_sets = class_sets
        self.context = context
        self.synthesis = synthesis
        self.device = device
        generator = torch.Generator().manual_seed(seed)
        self._sizes = [plane.size for plane in synthesis.planes]
        count = int(class_counts.sum())
        latents = torch.rand(count, sum(self._sizes), generator=generator) - 0.5
        self.latents = latents.to(device).requires_grad_()
        self.networks = [self._initial_networks(generator) for _ in range(self.num_sets)]
        self.labels = torch.from_numpy(np.repeat(np.arange(len(class_counts)), class_counts))
        self.image_sets = torch.from_numpy(np.repeat(class_sets, class_counts))
        self._model = LaplaceModel()

    def _initial_networks(self, generator: torch.Generator) -> Parameters:
        initial = self.context.initial_parameters(generator)
        initial |= self.synthesis.initial_parameters(generator)
        return {name: value.to(self.device).requires_grad_() for name, value in initial.items()}

    @property
    def num_images(self) -> int:
        """Images of all classes."""
        return len(self.labels)

    @property
    def num_sets(self) -> int:
        """Sets of networks."""
        return int(self.class_sets.max()) + 1

    @property
    def values_per_image(self) -> int:
        """Pixel values of one image."""
        return self.synthesis.channels * self.synthesis.height * self.synthesis.width

    def header(
        self, mean: tuple[int, ...], std: tuple[int, ...], has_class_names: bool = False
    ) -> Header:
        """Return the header of the file this becomes.

        Args:
            mean: normalisation per channel, in 1/256.
            std: likewise.
            has_class_names: whether the file will keep them.
        """
        synthesis, context = self.synthesis, self.context
        return Header(
            num_classes=len(self.class_counts),
            num_images=self.num_images,
            height=synthesis.height,
            width=synthesis.width,
            channels=synthesis.channels,
            num_levels=synthesis.num_levels,
            num_sets=self.num_sets,
            context_id=context.context_id,
            context_width=context.width,
            context_depth=context.depth,
            synthesis_id=synthesis.synthesis_id,
            synthesis_widths=synthesis.widths,
            label_mode=LABEL_MODE_HARD,
            mean=mean,
            std=std,
            hints=(),
            has_class_names=has_class_names,
        )

    def network_parameters(self) -> Iterator[Tensor]:
        """Yield every weight tensor of every set."""
        for networks in self.networks:
            yield from networks.values()

    def indices_of(self, classes: Tensor | None = None) -> Tensor:
        """Return the images of some classes (all by default), in order."""
        if classes is None:
            return torch.arange(self.num_images)
        return torch.isin(self.labels, classes.cpu()).nonzero()[:, 0]

    def parts(self, indices: Tensor) -> tuple[Tensor, ...]:
        """Split images into groups that bound the memory of going through them."""
        latents = PART_LATENTS.get(self.device.type, PART_LATENTS["cpu"])
        return torch.split(indices, max(1, min(PART_IMAGES, latents // self.latents.shape[1])))

    def some(self, indices: Tensor, most_images: int, most_latents: int) -> Tensor:
        """Choose images at even distances that stand for all: of large ones fewer say as much."""
        count = max(LEAST_IMAGES, min(most_images, most_latents // self.latents.shape[1]))
        return indices[:: max(1, len(indices) // count)][:count]

    def keep_first(self, class_counts: NDArray[np.int64]) -> None:
        """Forget all but the first images of each class; latents become a new tensor."""
        starts = np.repeat(np.cumsum(self.class_counts) - self.class_counts, self.class_counts)
        ranks = np.arange(self.num_images) - starts
        kept = torch.from_numpy(ranks < np.repeat(class_counts, self.class_counts))
        self.class_counts = class_counts
        self.latents = self.latents.detach()[kept.to(self.device)].requires_grad_()
        self.labels, self.image_sets = self.labels[kept], self.image_sets[kept]

    def render(
        self,
        indices: Tensor,
        quantizer: Quantizer,
        networks: list[Parameters] | None = None,
        with_rate: bool = True,
        details: Tensor | None = None,
    ) -> Rendering:
        """Render some images and estimate the bits of their latents, differentiably.

        Args:
            indices: int64, which images.
            quantizer: stand-in for rounding.
            networks: weights to use instead of the trainable ones.
            with_rate: estimate the bits, too; 0 otherwise.
            details: added to latents before they are shown, B × P; see `distill.details`.
        """
        networks = networks or self.networks
        images, orders = [], []
        rate_bits = torch.zeros((), device=self.device)
        for set_index, order in self._by_set(indices):
            rows = self._rows(indices[order], quantizer)
            if with_rate:
                rate_bits = rate_bits + self.latent_bits(networks[set_index], rows)
            shown = rows if details is None else rows + details[order.to(self.device)]
            images.append(self.synthesis.render(networks[set_index], shown))
            orders.append(order)
        positions = torch.cat(orders).argsort().to(self.device)
        return Rendering(torch.cat(images)[positions], rate_bits, indices)

    def rate_bits(self, indices: Tensor, quantizer: Quantizer) -> Tensor:
        """Estimate the bits of the latents of some images as `render` does, and render nothing."""
        bits = torch.zeros((), device=self.device)
        for set_index, order in self._by_set(indices):
            rows = self._rows(indices[order], quantizer)
            bits = bits + self.latent_bits(self.networks[set_index], rows)
        return bits

    def _by_set(self, indices: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield every network set of some images, and which of them it has."""
        sets = self.image_sets[indices]
        for set_index in torch.unique(sets).tolist():
            yield set_index, (sets == set_index).nonzero()[:, 0]

    def _rows(self, indices: Tensor, quantizer: Quantizer) -> Tensor:
        return quantizer(embedding(indices.to(self.device), self.latents, sparse=True))

    def latent_bits(self, networks: Parameters, latents: Tensor) -> Tensor:
        """Estimate the bits of some latents, N × P, under the context model, a scalar."""
        flat = self.context.estimate_flat(networks, latents)
        return flat.rate_bits(self._model).sum()

    @torch.no_grad()
    def rendered_images(self) -> NDArray[np.uint8]:
        """Return all images as float networks show the latents now, N × C × H × W."""
        images = []
        for indices in self.parts(torch.arange(self.num_images)):
            for number in torch.unique(self.image_sets[indices]).tolist():
                rows = self.latents[indices[self.image_sets[indices] == number].to(self.device)]
                shown = self.synthesis.render(self.networks[number], rows.round())
                pixels = (256 * shown - 0.5).round().clamp(0, 255)
                images.append(pixels.to(torch.uint8).cpu().numpy())
        return np.concatenate(images)

    def rounded_latents(self) -> Tensor:
        """Return all latents as coded, N × P, float."""
        limit = SYMBOL_LIMIT - 1
        latents = self.latents.detach()
        rounded = latents.sign() * (latents.abs() + 0.5).floor()
        return rounded.clamp(-limit, limit)

    def to_content(
        self,
        latents: Tensor,
        networks: tuple[NetworkTensors, ...],
        class_names: tuple[str, ...] | None,
    ) -> Content:
        """Return the integers of the file for rounded latents, N × P, and quantised networks."""
        integers = latents.cpu().numpy().astype(np.int16)
        sets = self.image_sets.numpy()
        planes = tuple(self._planes(integers[sets == index]) for index in range(self.num_sets))
        return Content(self.class_counts, class_names, self.class_sets, networks, planes)

    def _planes(self, rows: NDArray[np.int16]) -> list[NDArray[np.int16]]:
        """Split flat latents N × P into planes N × h × w, finest first."""
        parts = np.split(rows, np.cumsum(self._sizes)[:-1], axis=1)
        return [
            np.ascontiguousarray(part.reshape(len(rows), plane.rows, plane.columns))
            for part, plane in zip(parts, self.synthesis.planes, strict=True)
        ]


def quantised_parameters(networks: NetworkTensors, device: torch.device) -> Parameters:
    """Return the float values of quantised tensors."""
    return {
        name: torch.from_numpy(tensor.values).to(device, torch.float32)
        for name, tensor in networks.items()
    }

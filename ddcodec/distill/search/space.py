"""What a search for a decoder chooses from."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ddcodec.distill.trained.random_streams import derived_seed


@dataclass(frozen=True)
class Networks:
    """A point of the space: settings of a recipe by the same names.

    Attributes:
        synthesis: A decoder as `parse_decoder` reads it.
        context_width: Inputs of the context model.
        context_depth: Its hidden layers.
        share: One set of networks for `all`, for `groups` of classes or for each `class`.
    """

    synthesis: str
    context_width: int
    context_depth: int
    share: str

    def __str__(self) -> str:
        context = f"context {self.context_width}×{self.context_depth}"
        return f"{self.synthesis}, {context}, one set for {self.share}"


@dataclass(frozen=True)
class DecoderSpace:
    """What is searched: every combination of these.

    The paper's pyramids are no part of it: after 960 steps they are five decibels behind
    (docs/results/codec.md), and after a short fit they show nothing.

    Attributes:
        syntheses: Wavelets by the hidden widths of their refinement.
        context_widths: See `Networks`.
        context_depths: See `Networks`.
        shares: See `Networks`.
    """

    syntheses: tuple[str, ...] = (
        "wavelet", "wavelet-8", "wavelet-16", "wavelet-24", "wavelet-32", "wavelet-8,8",
        "wavelet-16,16",
    )  # fmt: skip
    context_widths: tuple[int, ...] = (8, 16, 24, 32)
    context_depths: tuple[int, ...] = (1, 2, 3)
    shares: tuple[str, ...] = ("all", "groups", "class")

    def sample(self, count: int, seed: int) -> list[Networks]:
        """Return `count` different points in random order, or all there are."""
        axes = (self.syntheses, self.context_widths, self.context_depths, self.shares)
        points = [Networks(*values) for values in product(*axes)]
        order = np.random.default_rng(derived_seed(seed, len(points))).permutation(len(points))
        return [points[index] for index in order[:count]]


SPACE = DecoderSpace()

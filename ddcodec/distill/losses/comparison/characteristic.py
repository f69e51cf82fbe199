"""Characteristic-function matching (NCFM): equal distributions of embeddings, not means alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets.base import Pixels
from ddcodec.distill.losses.base import LossSettings, read_options
from ddcodec.distill.losses.embedding import EmbeddingMatching, RealClass
from ddcodec.distill.trained.class_statistics import (
    characteristic_function,
    frequency_table,
    spread,
)
from ddcodec.errors import RecipeError

_TINY = 1e-12  # under roots: their slope at 0 is infinite


@dataclass(frozen=True)
class CharacteristicOptions:
    """Settings of characteristic-function matching alone.

    Attributes:
        amplitude: Weight α of the amplitude term, 0 … 1; the phase term has 1 − α.
        frequencies: Frequency arguments without a pool; a pool brings its own.
        cross_entropy: Weight of the pool networks' cross-entropy on the synthetic images, the
            calibration term of the authors' code. Measured as for `DistributionOptions`: 28.7 %
            without it, 34.3 at weight 0.05, 34.7 at 0.2, 31.9 at 0.8.
    """

    amplitude: float = 0.5
    frequencies: int = 1024
    cross_entropy: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            RecipeError: The amplitude's weight is no share, or there are no frequencies.
        """
        if not 0 <= self.amplitude <= 1:
            raise RecipeError(f"amplitude must lie between 0 and 1, not {self.amplitude}.")
        if self.frequencies < 1:
            raise RecipeError(f"frequencies must be at least 1, not {self.frequencies}.")


class CharacteristicMatching(EmbeddingMatching):
    """Distance of the characteristic functions of classes (Wang et al., CVPR 2025, section 3.2).

    Σ_c mean_t √(α (|φ| − |φ̃|)² + (1 − α) · 2 (|φ||φ̃| − Re φ φ̃*)), where φ and φ̃ are the
    empirical characteristic functions of real and synthetic embeddings of class c, scaled to
    unit length as in the authors' code, at frequencies t. The first term compares amplitudes,
    which tell how embeddings spread, the second phases, which tell where they lie; at α = ½ the
    root is |φ − φ̃| / √2.

    The paper trains a small network to sample the frequencies where the distance is largest.
    Here they are fixed Gaussian directions whose lengths span the range in which a Gaussian with
    the spread of the real class has amplitudes of 0.88 … 0.14, so they are fitted to each class
    and network but not adversarial. Fixed ones are what lets a pool hold φ of real images; a
    sampler that moves would need embeddings of real images at every step.

    With a pool, which holds networks between initialisation and trained weights as the paper's
    does, no real image is looked at; without one, networks are random and φ is that of a batch.
    Arguments and errors: see `EmbeddingMatching`.
    """

    def __init__(
        self,
        real_images: Pixels,
        real_labels: NDArray[np.integer],
        settings: LossSettings,
    ) -> None:
        self._options = read_options(CharacteristicOptions, settings.options)
        self._table: Tensor | None = None
        super().__init__(real_images, real_labels, settings, self._options.cross_entropy)

    def _distance(self, synthetic: Tensor, real: RealClass) -> Tensor:
        frequencies = self._frequencies(synthetic.shape[1]) / real.spread
        assert real.characteristic is not None
        return characteristic_distance(
            characteristic_function(synthetic, frequencies),
            real.characteristic,
            self._options.amplitude,
        )

    def _describe(self, embeddings: Tensor) -> RealClass:
        own = spread(embeddings)
        frequencies = self._frequencies(embeddings.shape[1]) / own
        return RealClass(
            embeddings.mean(dim=0), own, characteristic_function(embeddings, frequencies)
        )

    def _frequencies(self, size: int) -> Tensor:
        if self._pool is not None:
            return self._pool.frequencies
        if self._table is None:
            self._table = frequency_table(self._options.frequencies, size).to(self.device)
        return self._table


def characteristic_distance(synthetic: Tensor, real: Tensor, amplitude: float) -> Tensor:
    """Return the mean distance of two characteristic functions 2×F; see the class."""
    size = (synthetic.square().sum(dim=0) + _TINY).sqrt()
    real_size = (real.square().sum(dim=0) + _TINY).sqrt()
    amplitudes = (size - real_size).square()
    phases = 2 * (size * real_size - (synthetic * real).sum(dim=0)).clamp(min=0)
    return (amplitude * amplitudes + (1 - amplitude) * phases + _TINY).sqrt().mean()

"""Distribution matching: equal mean embeddings under random or pooled networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets.base import Pixels
from ddcodec.distill.losses.base import LossSettings, read_options
from ddcodec.distill.losses.embedding import EmbeddingMatching, RealClass
from ddcodec.distill.trained.class_statistics import spread

POOL_STUDENT_RATE = 0.03
"""Of plain SGD with momentum: two files of CIFAR-10 teach a point more than at 0.01, and less at
0.1 (docs/results/hard-labels.md)."""


@dataclass(frozen=True)
class DistributionOptions:
    """Settings of distribution matching alone.

    Attributes:
        cross_entropy: Weight of the trained pool networks' mean cross-entropy on the synthetic
            images of a class; None for one that follows from their number.
    """

    cross_entropy: float | None = None


class DistributionMatching(EmbeddingMatching):
    """Squared distance of class mean embeddings (Zhao & Bilen, WACV 2023, equation 5).

    Σ_c ‖mean of ψ(A(real images of c)) − mean of ψ(A(synthetic images of c))‖², where ψ is the
    embedding of a randomly initialised network and A a siamese augmentation drawn per class. The
    network, the augmentations and the real means stay for `steps_per_network` steps (one round),
    by default one. Keeping them makes steps up to half again as many per minute with 50 images
    per class, but new ones at every step taught more per minute where it was measured (CIFAR-10).
    With a pool, ψ is one of its networks and the real means are known beforehand; see
    `EmbeddingMatching`, also for arguments and errors.
    """

    def __init__(
        self,
        real_images: Pixels,
        real_labels: NDArray[np.integer],
        settings: LossSettings,
    ) -> None:
        options = read_options(DistributionOptions, settings.options)
        super().__init__(real_images, real_labels, settings, options.cross_entropy)

    @property
    def student_rate(self) -> float | None:
        """The learning rate for students on images made through a pool; None without one."""
        return None if self._pool is None else POOL_STUDENT_RATE

    def _distance(self, synthetic: Tensor, real: RealClass) -> Tensor:
        return (synthetic.mean(dim=0) - real.mean).square().sum()

    def _describe(self, embeddings: Tensor) -> RealClass:
        return RealClass(embeddings.mean(dim=0), spread(embeddings), None)

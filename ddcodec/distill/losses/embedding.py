"""What losses on embeddings share: networks, augmentations and the real side of the match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ddcodec import networks
from ddcodec.datasets.base import Pixels
from ddcodec.distill.losses.base import (
    DEFAULT_ARCH,
    DEFAULT_NETWORK_WIDTH,
    LossSettings,
)
from ddcodec.distill.losses.real_data import NETWORK, OWN, RealDataLoss
from ddcodec.distill.trained.embedder import Embedder
from ddcodec.distill.trained.pool_views import Pool, PoolView
from ddcodec.distill.trained.training_part import RowReader
from ddcodec.errors import RecipeError
from ddcodec.kept.paths import user_path
from ddcodec.networks import augment, precision
from ddcodec.networks.normalise import Renormalisation

JUDGED_IMAGES = 400
"""Weight of the cross-entropy of a class, times its images. The mean of n random images is off by
their variance over n, so the more images there are, the less is left for the distance to mend, and
a judge of constant weight pulls their mean away from that of real ones. CIFAR-10, 200 and 500
images per class: docs/results/hard-labels.md."""

HARDEST_JUDGE = 20.0
"""Weight at most. With ten images per class of CIFAR-10 in pixel space and 200 steps under three
small networks, students reached 28.0 % without a judge, 35.4 at weight 5, 37.7 at 20 and 33.5 at
100 (validation part, two students of one run each)."""


@dataclass(frozen=True)
class RealClass:
    """The real side of the match for one class.

    Attributes:
        mean: float32 D, mean embedding.
        spread: Scalar, of unit embeddings; see `class_statistics.spread`.
        characteristic: float32 2×F; None where the loss has no use for it.
    """

    mean: Tensor
    spread: Tensor
    characteristic: Tensor | None


class EmbeddingMatching(RealDataLoss):
    """Base of losses that match the embeddings of a class under one network after the other.

    Without a pool a round has a randomly initialised network and a batch of real images, and a
    siamese augmentation drawn per class. With a pool (`LossSettings.pool`) it has one of its
    networks and one of that network's augmentations, in shuffled order, and what that network
    sees in real images is known: no real image is looked at. A round is a function of the
    seed and its number alone, so a run can be resumed at any step.

    Subclasses define `_distance`, and `_describe` for the real side without a pool.

    Args:
        real_images: uint8 N×C×H×W.
        real_labels: Integers N, each class of interest at least once.
        settings: See `LossSettings`.
        cross_entropy: Weight of the mean cross-entropy on the synthetic images of a class, by
            the pool's network as its training ended, added to the distance of each class (DANCE,
            IJCAI 2024, section 3.3); None for `JUDGED_IMAGES` over the images a step has of the
            class, or `HARDEST_JUDGE` if that is less. Random networks, which tell classes apart
            by chance, have none of it.

    Raises:
        DataError: Labels are out of range or do not match the images in number, or the pool is
            missing, incomplete, or of another dataset or architecture.
        RecipeError: The weight of the cross-entropy is negative.
    """

    class_by_class = True
    shared_by_ranks = True

    def __init__(
        self,
        real_images: Pixels,
        real_labels: NDArray[np.integer],
        settings: LossSettings,
        cross_entropy: float | None = 0.0,
    ) -> None:
        if cross_entropy is not None and cross_entropy < 0:
            raise RecipeError(f"cross_entropy must be at least 0, not {cross_entropy}.")
        self._cross_entropy = 0.0 if settings.pool is None else cross_entropy
        self._pool: Pool | None = None
        super().__init__(real_images, real_labels, settings)
        self._embedder = Embedder(self.device, bool(self.bfloat16), settings.ranks)
        self._round = -1
        self._network: networks.Classifier | None = None
        self._view: PoolView | None = None
        self._real: dict[int, RealClass] = {}

    def _keep(self, images: Pixels, labels: NDArray[np.integer]) -> RowReader | None:
        if self.settings.pool is None:
            return super()._keep(images, labels)
        folder = user_path(self.settings.pool)
        pool = Pool(folder, self.device, self._facts(images, labels))
        own = (self.settings.mean, self.settings.std)
        self._renormalise = Renormalisation(own, (pool.mean, pool.std))
        self._pool = pool
        return None

    def __call__(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Compute the loss of the classes that occur in `labels`; see `DistillationLoss`.

        Raises:
            DataError: The real data have no image of such a class.
        """
        self._enter_round(step // self.steps_per_network)
        classes = sorted({int(k) for k in labels.tolist()})
        self._add_real(classes, step)
        if self._pool is not None:
            images = self._renormalise(images)
        views = [augment.apply(images[labels == k], self._augmentation(k)) for k in classes]
        assert self._network is not None
        embeddings = self._embed(self._network, views, step)
        loss = torch.zeros((), device=images.device)
        for k, group in zip(classes, embeddings, strict=True):
            loss = loss + self._distance(group, self._real[k])
        if self._cross_entropy != 0:
            loss = loss + self._surprise(classes, views, embeddings, step)
        return loss

    def _distance(self, synthetic: Tensor, real: RealClass) -> Tensor:
        """Return how far embeddings N×D of synthetic images are from the real side."""
        raise NotImplementedError

    def _describe(self, embeddings: Tensor) -> RealClass:
        """Return the real side of a class, of embeddings N×D of a batch."""
        raise NotImplementedError

    def _surprise(
        self, classes: Sequence[int], views: Sequence[Tensor], embeddings: list[Tensor], step: int
    ) -> Tensor:
        """Return the classes' mean cross-entropies, by the network that knows them, weighted."""
        assert self._view is not None
        judge = self._view.judge
        if judge is not self._view.network:
            embeddings = self._embed(judge, views, step)
        total = torch.zeros((), device=self.device)
        with precision.autocast(self.device, bool(self.bfloat16)):
            for k, group in zip(classes, embeddings, strict=True):
                logits = judge.classifier(group).float()
                targets = torch.full((len(group),), k, device=logits.device)
                total = total + self._weight(len(group)) * F.cross_entropy(logits, targets)
        return total

    def _weight(self, num_images: int) -> float:
        given = self._cross_entropy
        return min(HARDEST_JUDGE, JUDGED_IMAGES / num_images) if given is None else given

    def _enter_round(self, number: int) -> None:
        """Replace the network when a new round begins and forget what was seen through the old."""
        if number == self._round:
            return
        if self._pool is not None:
            turn, position = divmod(number, self._pool.num_views)
            order = torch.randperm(self._pool.num_views, generator=self._stream(OWN, turn))
            self._view = self._pool.view(int(order[position]))
            self._network = self._view.network
        else:
            self._network = self._fresh_network(number)
        self._real = {}
        self._round = number

    def _fresh_network(self, number: int) -> networks.Classifier:
        network = networks.build(
            self.settings.arch or DEFAULT_ARCH,
            self._image_shape,
            self.settings.num_classes,
            seed=self._stream(NETWORK, number).initial_seed(),
            network_width=self.settings.network_width or DEFAULT_NETWORK_WIDTH,
        )
        return network.to(self.device).requires_grad_(False).eval()

    @torch.no_grad()
    def _add_real(self, classes: Sequence[int], step: int) -> None:
        """Learn the real side of the classes that this round has not seen yet."""
        missing = [k for k in classes if k not in self._real]
        if self._view is not None:
            view = self._view
            for k in missing:
                self._real[k] = RealClass(view.means[k], view.spreads[k], view.characteristic[k])
            return
        views = [
            augment.apply(self._draw_real(k, self._round), self._augmentation(k)) for k in missing
        ]
        assert self._network is not None
        described = [self._describe(group) for group in self._embed(self._network, views, step)]
        self._real.update(zip(missing, described, strict=True))

    def _embed(
        self, network: networks.Classifier, views: Sequence[Tensor], step: int
    ) -> list[Tensor]:
        """Return what a network makes of each group of images, float32 N×D each."""
        if not views:
            return []
        images = torch.cat(list(views))
        embeddings = self._embedder.embed(network, images, step * len(images))
        return list(torch.split(embeddings, [len(view) for view in views]))

    def _augmentation(self, label: int) -> augment.AugmentationDraw:
        if self._view is not None:
            return self._view.augmentation
        return self._draw_augmentation(label, self._round)

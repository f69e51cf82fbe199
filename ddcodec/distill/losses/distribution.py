"""Distribution matching: equal mean embeddings under random networks."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec import networks
from ddcodec.distill.losses.base import LossSettings, rows_by_class
from ddcodec.errors import DataError
from ddcodec.networks import augment, precision

CHUNK_IMAGES = 32  # per forward pass on a CPU: activations of more fall out of its cache

# What a random stream is for; mixed into its seed, so that no two streams are related.
_NETWORK, _REAL_ROWS, _AUGMENTATION, _CLASSES = range(4)


class DistributionMatching:
    """Squared distance of class mean embeddings (Zhao & Bilen, WACV 2023, equation 5).

    Σ_c ‖mean of ψ(A(real images of c)) − mean of ψ(A(synthetic images of c))‖², where ψ is the
    embedding of a randomly initialised network and A a siamese augmentation drawn per class. The
    network, the augmentations and the real means stay for `steps_per_network` steps (one round).
    Keeping them makes steps up to half again as many per minute with 50 images per class, but
    new ones at every step taught more per minute where it was measured (CIFAR-10). A round
    is a function of the seed and its number alone, so a run can be resumed at any step.

    Args:
        real_images: uint8 N×C×H×W.
        real_labels: Integers N, each class of interest at least once.
        settings: See `LossSettings`.

    Raises:
        DataError: Labels are out of range, or do not match the images in number.
    """

    def __init__(
        self,
        real_images: NDArray[np.uint8],
        real_labels: NDArray[np.integer],
        settings: LossSettings,
    ) -> None:
        if len(real_images) != len(real_labels):
            raise DataError(f"{len(real_images)} real images have {len(real_labels)} labels.")
        self.settings = settings
        self.device = torch.device(settings.device)
        self.bfloat16 = settings.bfloat16
        if self.bfloat16 is None:
            self.bfloat16 = precision.bfloat16_pays(self.device)
        self._real_images = torch.from_numpy(np.require(real_images, requirements="W"))
        self._real_images = self._real_images.to(self.device)
        self._real_rows = rows_by_class(real_labels, settings.num_classes)
        self._round = -1
        self._network: networks.Classifier | None = None
        self._real_means: dict[int, Tensor] = {}

    def classes_for_step(self, step: int) -> Tensor | None:
        """Return this round's `classes_per_step` out of an endless row of shuffled class lists.

        They stay for the whole round, or its real means would be made and hardly used.
        """
        count, total = self.settings.classes_per_step, self.settings.num_classes
        if count is None or count >= total:
            return None
        rounds_per_pass = -(-total // count)
        number, position = divmod(step // self.settings.steps_per_network, rounds_per_pass)
        shuffled = torch.randperm(total, generator=self._generator(_CLASSES, number))
        return shuffled.roll(-count * position)[:count].sort().values

    def __call__(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        """Compute the loss of the classes that occur in `labels`; see `DistillationLoss`.

        Raises:
            DataError: The real data have no image of such a class.
        """
        self._enter_round(step // self.settings.steps_per_network)
        classes = sorted({int(k) for k in labels.tolist()})
        self._add_real_means(classes)
        views = [augment.apply(images[labels == k], self._augmentation(k)) for k in classes]
        loss = torch.zeros((), device=images.device)
        for k, mean in zip(classes, self._means(views), strict=True):
            loss = loss + (mean - self._real_means[k]).square().sum()
        return loss

    def _enter_round(self, number: int) -> None:
        """Replace the network when a new round begins and forget what was seen through the old."""
        if number == self._round:
            return
        seed = self._generator(_NETWORK, number).initial_seed()
        channels, height, width = self._real_images.shape[1:]
        network = networks.build(
            self.settings.arch,
            (channels, height, width),
            self.settings.num_classes,
            seed=seed,
            network_width=self.settings.network_width,
        )
        self._network = network.to(self.device).requires_grad_(False).eval()
        self._real_means = {}
        self._round = number

    @torch.no_grad()
    def _add_real_means(self, classes: Sequence[int]) -> None:
        """Embed real images of the classes that this round has not seen yet."""
        missing = [k for k in classes if k not in self._real_means]
        views = []
        for k in missing:
            rows = self._real_rows[k]
            if not len(rows):
                raise DataError(f"The real images have none of class {k}.")
            generator = self._generator(_REAL_ROWS, self._round, k)
            shuffled = torch.randperm(len(rows), generator=generator)
            drawn = rows[shuffled[: self.settings.batch_real]]
            real = self._real_images[drawn.to(self.device)]
            real = networks.normalise(real, self.settings.mean, self.settings.std)
            views.append(augment.apply(real, self._augmentation(k)))
        self._real_means.update(zip(missing, self._means(views), strict=True))

    def _means(self, views: Sequence[Tensor]) -> list[Tensor]:
        """Return the mean embedding (float32, D) of each group of images."""
        if not views:
            return []
        assert self._network is not None
        with precision.autocast(self.device, bool(self.bfloat16)):
            images = torch.cat(list(views))
            chunks = torch.split(images, CHUNK_IMAGES) if self.device.type == "cpu" else [images]
            embeddings = torch.cat([self._network.features(chunk) for chunk in chunks])
        groups = torch.split(embeddings.float(), [len(view) for view in views])
        return [group.mean(dim=0) for group in groups]

    def _augmentation(self, label: int) -> augment.AugmentationDraw:
        generator = self._generator(_AUGMENTATION, self._round, label)
        return augment.draw(generator, batch_size=1, siamese=True)

    def _generator(self, *purpose: int) -> torch.Generator:
        state = np.random.SeedSequence([self.settings.seed, *purpose]).generate_state(1, np.uint64)
        # manual_seed takes signed integers.
        return torch.Generator().manual_seed(int(state[0]) >> 1)

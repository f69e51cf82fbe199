"""What losses on embeddings compare: means and characteristic functions of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ddcodec.datasets.base import rows_of_classes
from ddcodec.distill.trained.embedder import Embedder
from ddcodec.distill.trained.random_streams import normal_table
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import DataError
from ddcodec.networks import Classifier, augment, precision

FEWEST_IMAGES, MOST_IMAGES = 64, 256
"""Images of a class behind one statistic, where the class has so many. Every network and
augmentation has others, so that what more of them would tell, a run learns from step to step."""

SMALLEST_SPREAD = 0.05
"""Of unit embeddings: below it a class counts as this spread, or frequencies would explode."""

LOWEST_RATIO, HIGHEST_RATIO = 0.5, 2.0
"""Frequencies times the spread of a class: a Gaussian's |φ| there is 0.88 … 0.14."""

_FREQUENCY_SEED = 1
_CHUNK = {"cpu": 32, "cuda": 1024}


def frequency_table(count: int, size: int) -> Tensor:
    """Return frequency arguments for embeddings of unit spread, float32 count×size.

    Gaussian directions at lengths that rise geometrically from `LOWEST_RATIO` to
    `HIGHEST_RATIO`; a table depends on its shape alone, so no pool has to store it.
    """
    ladder = torch.logspace(0, 1, count, base=HIGHEST_RATIO / LOWEST_RATIO) * LOWEST_RATIO
    return normal_table(_FREQUENCY_SEED, count, size) * ladder[:, None]


def spread(embeddings: Tensor) -> Tensor:
    """Return the root of the total variance of unit embeddings N×D, at least `SMALLEST_SPREAD`."""
    unit = F.normalize(embeddings, dim=1)
    # Unit vectors: the mean squared distance to their mean is 1 − ‖mean‖².
    variance = 1 - unit.mean(dim=0).square().sum()
    return variance.clamp(min=SMALLEST_SPREAD**2).sqrt()


def characteristic_function(embeddings: Tensor, frequencies: Tensor) -> Tensor:
    """Return the empirical characteristic function of unit embeddings.

    Args:
        embeddings: float32 N×D; only their directions count.
        frequencies: float32 F×D.

    Returns:
        Real and imaginary part of mean_n exp(i t·x_n), float32 2×F.
    """
    angles = F.normalize(embeddings, dim=1) @ frequencies.T
    return torch.stack([angles.cos().mean(dim=0), angles.sin().mean(dim=0)])


@dataclass(frozen=True)
class MemberStatistics:
    """What a network sees in images of the training part under fixed augmentations.

    Attributes:
        operations: int64 A, indices into the names of `augment.OPERATIONS`.
        uniforms: float32 A×3; with the operation an `AugmentationDraw`.
        means: float32 A×K×D, mean embeddings of classes.
        spreads: float32 A×K, of unit embeddings.
        characteristic: float32 A×K×2×F, at the frequency table divided by the spread.
    """

    operations: Tensor
    uniforms: Tensor
    means: Tensor
    spreads: Tensor
    characteristic: Tensor


class StatisticsTaker:
    """Take the statistics of a training part through one network after the other.

    Each augmentation is applied to its own share of the images of a class, `FEWEST_IMAGES` to
    `MOST_IMAGES` where there are so many.

    Args:
        part: The images.
        draws: Augmentations per network.
        frequencies: F.
        device: Where to compute.

    Raises:
        DataError: A class has no image.
    """

    def __init__(
        self, part: TrainingPart, draws: int, frequencies: int, device: torch.device
    ) -> None:
        self._part = part
        self._draws = draws
        self._num_frequencies = frequencies
        self._device = device
        self._embedder = Embedder(device, precision.bfloat16_pays(device))
        rows = rows_of_classes(part.labels.numpy(), part.num_classes)
        self._rows = [torch.from_numpy(members) for members in rows]
        empty = next((k for k, rows in enumerate(self._rows) if not len(rows)), None)
        if empty is not None:
            raise DataError(f"The training images have none of class {empty}; leave it out.")
        self._table: Tensor | None = None

    @torch.no_grad()
    def take(self, network: Classifier, stream: torch.Generator) -> MemberStatistics:
        """Return the statistics through a network; the stream draws augmentations and shares."""
        draws = [augment.draw(stream, batch_size=1, siamese=True) for _ in range(self._draws)]
        orders = [rows[torch.randperm(len(rows), generator=stream)] for rows in self._rows]
        taken = []
        for index, draw in enumerate(draws):
            chosen = [_share(order, index, self._draws) for order in orders]
            embeddings = self._embed(network, torch.cat(chosen), draw)
            groups = torch.split(embeddings, [len(rows) for rows in chosen])
            taken.append(self._of_groups(groups))
        means, spreads, functions = (torch.stack(one).cpu() for one in zip(*taken, strict=True))
        names = list(augment.OPERATIONS)
        operations = torch.tensor([names.index(draw.operation) for draw in draws])
        uniforms = torch.cat([draw.uniforms for draw in draws])
        return MemberStatistics(operations, uniforms, means, spreads, functions)

    def _embed(self, network: Classifier, rows: Tensor, draw: augment.AugmentationDraw) -> Tensor:
        parts = []
        for chunk in torch.split(rows, _CHUNK.get(self._device.type, 256)):
            images = augment.apply(self._part.seen(chunk, self._device), draw)
            parts.append(self._embedder.embed(network, images, len(self._part.labels)))
        return torch.cat(parts)

    def _of_groups(self, groups: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return means K×D, spreads K and characteristic functions K×2×F of embeddings."""
        if self._table is None:
            table = frequency_table(self._num_frequencies, groups[0].shape[1])
            self._table = table.to(self._device)
        spreads = [spread(group) for group in groups]
        functions = [
            characteristic_function(group, self._table / own)
            for group, own in zip(groups, spreads, strict=True)
        ]
        means = [group.mean(dim=0) for group in groups]
        return torch.stack(means), torch.stack(spreads), torch.stack(functions)


def _share(order: Tensor, index: int, draws: int) -> Tensor:
    """Return the images, out of a shuffled list of a class, that one of the draws is applied to."""
    stride = -(-len(order) // draws)
    count = min(len(order), max(stride, FEWEST_IMAGES), MOST_IMAGES)
    return order.roll(-index * stride)[:count]

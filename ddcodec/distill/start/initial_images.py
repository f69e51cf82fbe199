"""Which real images a run starts from: at random, by herding, or those a teacher is sure of.

An initialiser ranks the images of a class, so that a larger set contains a smaller one; starts that
are no whole images are in `crop_choice.py`. Herding and
the teacher look through the last-trained networks of a pool, which has seen the training part only;
those of the pool a recipe names, and else of the automatic one, whatever networks the loss uses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ddcodec.datasets.base import Pixels, rows_of_classes
from ddcodec.distill.trained.pool_views import Pool
from ddcodec.distill.trained.training_part import training_fingerprint
from ddcodec.networks import Classifier, normalise, precision

Integers = NDArray[np.int64]

CHUNK_IMAGES = 128
SURE_SHARE = 0.5
"""Share of a class, the surest first, that the teacher takes images from while they last."""


@dataclass(frozen=True)
class Seen:
    """What networks see in some images of one class.

    Attributes:
        embeddings: float32 N×D; the unit embeddings of all networks side by side.
        surprise: float32 N, cross-entropy of their own class in nats, mean over the networks.
    """

    embeddings: NDArray[np.float32]
    surprise: NDArray[np.float32]


Look = Callable[[Integers, int], Seen]
"""(rows of images, their class) → what is seen in them"""


def no_look(rows: Integers, label: int) -> Seen:
    """Refuse, as the `look` of initialisers that see nothing."""
    raise AssertionError("this initialiser should not look at images")


class Initialiser(Protocol):
    """Choose images of one class."""

    def __call__(self, rows: Integers, label: int, count: int, seed: int, look: Look) -> Integers:
        """Return `count` of the rows, the first choice first; fewer if there are no more.

        Args:
            rows: all images of the class, rising.
            label: the class.
            count: images wanted.
            seed: everything random follows from it and the class.
            look: costs time, so it is called by those who need it only.
        """
        ...


def not_shown(done: int, classes: int) -> None:
    """Show nothing; see `choose_initial_images`."""


def choose_initial_images(
    name: str,
    labels: Integers,
    counts: Integers,
    seed: int,
    look: Look,
    shown: Callable[[int, int], None] = not_shown,
) -> Integers:
    """Return rows of the training part, sorted by class.

    Args:
        name: a key of `INITIALISERS`.
        labels: of the training part, N.
        counts: images wanted of each class.
        seed: of the run.
        look: such as `PoolLook`.
        shown: called after every class with how many are done, and of how many.
    """
    choose = INITIALISERS[name]
    chosen = []
    for label, rows in enumerate(rows_of_classes(labels, len(counts))):
        chosen.append(choose(rows, label, int(counts[label]), seed, look))
        shown(label + 1, len(counts))
    return np.concatenate(chosen)


def at_random(rows: Integers, label: int, count: int, seed: int, look: Look) -> Integers:
    """Return random images; see `Initialiser`."""
    keys = np.random.PCG64([seed, label]).random_raw(len(rows))
    return rows[np.argsort(keys, kind="stable")[:count]]


def herding(rows: Integers, label: int, count: int, seed: int, look: Look) -> Integers:
    """Return images whose mean embedding stays nearest to that of the class; see `Initialiser`.

    Greedy, as in Welling, "Herding dynamical weights to learn" (ICML 2009), in the form of
    Rebuffi et al., "iCaRL" (CVPR 2017), section 3, algorithm 4. Nothing is drawn.
    """
    return rows[herding_order(look(rows, label).embeddings, count)]


def by_teacher(rows: Integers, label: int, count: int, seed: int, look: Look) -> Integers:
    """Return images that trained networks recognise; see `Initialiser`.

    The score is the cross-entropy of an image's own class, which grows both with a wrong answer
    and with an unsure right one. The surest images alone are much alike, so that herding orders
    the surest half of a class; the rest follows, the surest first.
    """
    seen = look(rows, label)
    order = np.argsort(seen.surprise, kind="stable")
    num_sure = round(SURE_SHARE * len(rows))
    sure, rest = np.sort(order[:num_sure]), order[num_sure:]
    herded = sure[herding_order(seen.embeddings[sure], count)]
    ranked: Integers = np.concatenate([herded, rest])
    return rows[ranked[:count]]


INITIALISERS: dict[str, Initialiser] = {
    "random": at_random,
    "herding": herding,
    "teacher": by_teacher,
}


def herding_order(embeddings: NDArray[np.float32], count: int) -> Integers:
    """Return the images, in order, whose running mean is each time nearest to the mean of all.

    Args:
        embeddings: N×D.
        count: images wanted; at most N are returned.
    """
    values = embeddings.astype(np.float64)
    to_mean, squares = values @ values.mean(axis=0), np.square(values).sum(axis=1)
    # All inner products at once are one matrix product; of many images they would not fit.
    products = values @ values.T if len(values) <= values.shape[1] else None
    taken = np.zeros(len(values), dtype=np.bool_)
    to_total = np.zeros_like(to_mean)
    order = []
    for size in range(1, min(count, len(values)) + 1):
        # ‖mean − (total + x) / size‖² up to what all candidates share, times size².
        distance = squares - 2 * (size * to_mean - to_total)
        distance[taken] = np.inf
        best = int(distance.argmin())
        taken[best] = True
        to_total += values @ values[best] if products is None else products[best]
        order.append(best)
    return np.array(order, dtype=np.int64)


class PoolLook:
    """Look at the training part through the last-trained networks of a pool.

    Args:
        images: the training part, uint8 N×C×H×W; read a few rows at a time.
        labels: int64 N.
        num_classes: labels are below it.
        device: where to compute.
        pool_folder: returns the folder of a complete pool, which may be made only then.

    Raises:
        DataError: at the first look, if the pool is of another dataset or incomplete.
    """

    def __init__(
        self,
        images: Pixels,
        labels: Integers,
        num_classes: int,
        device: torch.device,
        pool_folder: Callable[[], Path],
    ) -> None:
        self._images = images
        self._labels = labels
        self._num_classes = num_classes
        self._device = device
        self._pool_folder = pool_folder

    @cached_property
    def _pool(self) -> Pool:
        wanted = {
            "fingerprint": training_fingerprint(self._images, self._labels),
            "image_shape": list(self._images.shape[1:]),
            "num_classes": self._num_classes,
        }
        return Pool(self._pool_folder(), self._device, wanted)

    @cached_property
    def _networks(self) -> list[Classifier]:
        return self._pool.last_networks()

    def __call__(self, rows: Integers, label: int) -> Seen:
        """Return what the networks see in some images of a class; see `Seen`."""
        chunks = np.split(rows, range(CHUNK_IMAGES, len(rows), CHUNK_IMAGES))
        seen = [self.see(self._images[chunk], label) for chunk in chunks]
        embeddings = np.concatenate([part.embeddings for part in seen])
        return Seen(embeddings, np.concatenate([part.surprise for part in seen]))

    @torch.no_grad()
    def see(self, images: NDArray[np.uint8], label: int) -> Seen:
        """Return what the networks see in any images N×C×H×W of a class, all at once."""
        inputs = torch.from_numpy(images).to(self._device)
        normal = normalise(inputs, self._pool.mean, self._pool.std)
        with precision.autocast(self._device, precision.bfloat16_pays(self._device)):
            features = [
                precision.looked_at(network.features, normal).float() for network in self._networks
            ]
        logits = torch.stack(
            [own.classifier(part) for own, part in zip(self._networks, features, strict=True)]
        )
        embeddings = torch.cat([F.normalize(part, dim=1) for part in features], 1)
        own = -logits.log_softmax(-1)[..., label].mean(0)
        return Seen(embeddings.cpu().numpy(), own.cpu().numpy())

    def surprise(self, images: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
        """Return how much any images of a class surprise the networks; see `Seen`."""
        return self.see(images, label).surprise

"""What a training set is compared with: real images, all, as many, or in as many bytes; cached.

All are trained by the protocol, architecture and seeds of the training set, on hard labels.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.datasets.base import Dataset, ImageSplit, normalisation
from ddcodec.evaluation.coded_real import QUALITY, CodedReal, draw_coded_real, webp_version
from ddcodec.evaluation.judge import EvaluationProgress, EvaluationSettings, evaluate_labelled
from ddcodec.evaluation.random_real import draw_random_real
from ddcodec.evaluation.report import AccuracyReport
from ddcodec.evaluation.students.held_out import HeldOutImages
from ddcodec.evaluation.students.kept_files import keep
from ddcodec.evaluation.students.labelled_images import LabelledImages
from ddcodec.kept.notices import notify
from ddcodec.kept.seal import sealed_json, unsealed_json
from ddcodec.ranks import ALONE

CACHE_VERSION = 1
"""Raise it whenever the same key would lead to another accuracy."""


@dataclass(frozen=True)
class Reference:
    """A set of real images to train on.

    Attributes:
        name: "full data", "random real" or "coded real".
        counts: Images of each class; of coded ones in the draw of seed 0.
        budget_bytes: Of coded images in all, else 0.
    """

    name: str
    counts: tuple[int, ...]
    budget_bytes: int = 0


class References:
    """Train networks on real images and remember their accuracies.

    Args:
        real: The dataset; random real images come from its whole training split, or, where the
            validation part is tested on, from the rest of it.
        test: What is tested on.
        split: "test" or "val".
        cache_dir: Where accuracies are kept.
    """

    def __init__(self, real: Dataset, test: ImageSplit, split: str, cache_dir: Path) -> None:
        self._real, self._split, self._cache_dir = real, split, cache_dir
        self._rows = np.arange(len(real.train))
        if split == "val":
            self._rows, _ = real.split_rows()
        self._labels = real.train.labels[self._rows]
        mean, std = normalisation(real.train.images)
        self._normalisation = mean.tolist(), np.maximum(std, 1 / 255).tolist()
        self._test = HeldOutImages.of(test, *self._normalisation)

    def full_data(self) -> Reference:
        """Return the reference of all real images."""
        counts = np.bincount(self._labels, minlength=self._real.num_classes)
        return Reference("full data", tuple(counts.tolist()))

    def random_real(self, labels: NDArray[np.int64]) -> Reference:
        """Return the reference with as many images of each class as a training set's labels.

        Raises:
            DataError: A class has fewer real images.
        """
        counts = np.bincount(labels, minlength=self._real.num_classes)
        draw_random_real(self._labels, counts, 0)
        return Reference("random real", tuple(counts.tolist()))

    def coded_real(self, budget_bytes: int) -> Reference:
        """Return the reference of real images that WebP codes in a number of bytes.

        Raises:
            DataError: They do not hold an image of every class.
        """
        coded = self._coded(budget_bytes, 0)
        counts = np.bincount(self._labels[coded.rows], minlength=self._real.num_classes)
        return Reference("coded real", tuple(counts.tolist()), budget_bytes)

    def missing(self, reference: Reference, settings: EvaluationSettings) -> tuple[int, ...]:
        """Return the seeds whose accuracy is not in the cache."""
        return tuple(
            seed for seed in settings.seeds if self._cached(reference, settings, seed) is None
        )

    def report(self, reference: Reference, settings: EvaluationSettings) -> AccuracyReport:
        """Return the accuracies, after training the networks that are not in the cache.

        Random real images are drawn anew for every seed. Of several processes each trains a share.

        Raises:
            RecipeError: The architecture does not fit the images.
        """
        accuracies, seconds, ranks = [0.0] * len(settings.seeds), 0.0, settings.ranks
        for index in ranks.share(range(len(settings.seeds))):
            seed = settings.seeds[index]
            accuracy = self._cached(reference, settings, seed)
            if accuracy is None:
                shift = _shifted(settings.on_progress, index, len(settings.seeds))
                one = replace(settings, seeds=(seed,), on_progress=shift, ranks=ALONE)
                trained = evaluate_labelled(self._training(reference, seed), self._test, one)
                accuracy, seconds = trained.mean, seconds + trained.seconds
                self._keep(reference, settings, seed, accuracy)
            accuracies[index] = accuracy
        count, protocol = sum(reference.counts), settings.protocol
        return AccuracyReport(
            protocol.name, settings.arch, settings.seeds, tuple(ranks.summed(accuracies)), "hard",
            protocol.total_updates(count), protocol.total_epochs(count), count, seconds,
        )  # fmt: skip

    def _training(self, reference: Reference, seed: int) -> LabelledImages:
        rows = self._rows
        train = self._real.train
        if reference.budget_bytes:
            coded = self._coded(reference.budget_bytes, seed)
            return self._labelled(coded.images, self._labels[coded.rows])
        if reference.name == "random real":
            rows = rows[draw_random_real(self._labels, np.array(reference.counts), seed)]
        return self._labelled(train.images[rows], train.labels[rows])

    def _coded(self, budget_bytes: int, seed: int) -> CodedReal:
        train, classes = self._real.train.images, self._real.num_classes
        return draw_coded_real(
            lambda row: train[self._rows[row]], self._labels, classes, budget_bytes, seed
        )

    def _labelled(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> LabelledImages:
        pixels = torch.from_numpy(np.require(images, requirements="W"))
        numbers = torch.from_numpy(np.require(labels, requirements="W"))
        return LabelledImages(pixels, numbers, *self._normalisation)

    def _facts(
        self, reference: Reference, settings: EvaluationSettings, seed: int
    ) -> dict[str, Any]:
        coded = {"bytes": reference.budget_bytes, "quality": QUALITY, "codec": webp_version()}
        return {
            **(coded if reference.budget_bytes else {}),
            "version": CACHE_VERSION,
            "dataset": self._real.fingerprint,
            "tested_on": self._split,
            "reference": reference.name,
            "images_per_class": reference.counts,
            "protocol": asdict(settings.protocol),
            "arch": settings.arch,
            "seed": seed,
        }

    def _path(self, facts: dict[str, Any]) -> Path:
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return self._cache_dir / "references" / f"{digest[:32]}.json"

    def _cached(
        self, reference: Reference, settings: EvaluationSettings, seed: int
    ) -> float | None:
        path = self._path(self._facts(reference, settings, seed))
        try:
            accuracy = float(unsealed_json(path.read_bytes())["accuracy"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            notify(f"'{path}' is damaged; the reference is trained again.")
            return None
        return accuracy if 0 <= accuracy <= 100 else None

    def _keep(
        self, reference: Reference, settings: EvaluationSettings, seed: int, accuracy: float
    ) -> None:
        facts = self._facts(reference, settings, seed)
        keep(sealed_json({**facts, "accuracy": accuracy}), self._path(facts))


def _shifted(
    on_progress: Callable[[EvaluationProgress], None] | None, network: int, networks: int
) -> Callable[[EvaluationProgress], None] | None:
    """Report the only network of an evaluation as one of several."""
    if on_progress is None:
        return None
    report = on_progress
    return lambda progress: report(replace(progress, network=network, networks=networks))


def cost(reference: Reference, settings: EvaluationSettings, networks: int) -> str:
    """Say what training a reference takes, such as `3 networks of 2,000 updates of 64 images`."""
    count = sum(reference.counts)
    updates = settings.protocol.total_updates(count)
    batch = min(settings.protocol.batch_size, count)
    plural = "" if networks == 1 else "s"
    return f"{networks} network{plural} of {updates:,} updates of {batch} images"

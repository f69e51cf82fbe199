"""What an evaluation found, with everything needed to read the number."""

import math
import statistics
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class AccuracyReport:
    """Test accuracies of networks trained on one training set.

    Attributes:
        protocol: Name of the recipe.
        arch: Name of the architecture.
        seeds: One per network.
        accuracies: Test accuracy in % of each network, in the order of the seeds.
        label_mode: What the networks were trained on: "hard", "soft" or "labeler".
        updates: Optimiser steps per network.
        epochs: Average times each image was seen per network.
        num_images: Size of the training set.
        seconds: Wall time of all networks, training and testing.
        renditions: Times each image of the training set is there, with other details.
    """

    protocol: str
    arch: str
    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    label_mode: str
    updates: int
    epochs: float
    num_images: int
    seconds: float
    renditions: int = 1

    @property
    def mean(self) -> float:
        """Mean accuracy in %."""
        return statistics.fmean(self.accuracies)

    @property
    def std(self) -> float:
        """Population standard deviation in %, as the field prints it (`numpy.std`)."""
        return statistics.pstdev(self.accuracies)

    def to_json(self) -> dict[str, Any]:
        """Return every attribute, mean and std as what `json.dumps` takes."""
        values = asdict(self)
        values["seeds"], values["accuracies"] = list(self.seeds), list(self.accuracies)
        return {**values, "mean": self.mean, "std": self.std}


@dataclass(frozen=True)
class Judgement:
    """A training set judged by one architecture, beside what it has to be compared with.

    Attributes:
        hard: Trained on hard labels, or None.
        all_labels: Trained on soft labels or by the labeler, or None. One of both is there.
        full_data: Trained on all real images with their hard labels, or None.
        random_real: Trained on as many random real images of each class, likewise, or None.
        coded_real: Trained on random real images that WebP codes in as many bytes, or None.
        labeler_accuracy: Of the labeler in the file itself, in %, or None.
    """

    hard: AccuracyReport | None
    all_labels: AccuracyReport | None = None
    full_data: AccuracyReport | None = None
    random_real: AccuracyReport | None = None
    coded_real: AccuracyReport | None = None
    labeler_accuracy: float | None = None

    @property
    def best(self) -> AccuracyReport:
        """With all labels there are."""
        report = self.all_labels or self.hard
        assert report is not None
        return report

    @property
    def in_front(self) -> AccuracyReport:
        """With hard labels, unless they were left out."""
        return self.hard or self.best

    @property
    def hard_label_recovery(self) -> float | None:
        """HLR of DD-Ranking in points: how far hard labels stay behind the full data."""
        if self.full_data is None or self.hard is None:
            return None
        return self.full_data.mean - self.hard.mean

    @property
    def improvement_over_random(self) -> float | None:
        """IOR of DD-Ranking in points: what it gains on random real images, with all labels."""
        return None if self.random_real is None else self.best.mean - self.random_real.mean

    @property
    def label_robust_score(self) -> float | None:
        """Score of DD-Ranking in [0, 1]; see `label_robust_score`."""
        recovery, improvement = self.hard_label_recovery, self.improvement_over_random
        if recovery is None or improvement is None:
            return None
        return label_robust_score(recovery, improvement)

    def to_json(self) -> dict[str, Any]:
        """Return all reports and scores as what `json.dumps` takes."""
        reports = {
            name: None if report is None else report.to_json()
            for name, report in (
                ("hard", self.hard),
                ("all_labels", self.all_labels),
                ("full_data", self.full_data),
                ("random_real", self.random_real),
                ("coded_real", self.coded_real),
            )
        }
        return {
            "arch": self.best.arch,
            **reports,
            "labeler_accuracy": self.labeler_accuracy,
            "hard_label_recovery": self.hard_label_recovery,
            "improvement_over_random": self.improvement_over_random,
            "label_robust_score": self.label_robust_score,
        }


def label_robust_score(recovery: float, improvement: float) -> float:
    """Combine hard-label recovery and improvement over random, both in points of accuracy.

    (e^α − e⁻¹) / (e − e⁻¹) with α the half of their difference as fractions, as in the DD-Ranking
    benchmark; a higher score is better, 1 and 0 are the ends.
    """
    alpha = (improvement - recovery) / 200
    return (math.exp(alpha) - math.exp(-1)) / (math.e - math.exp(-1))

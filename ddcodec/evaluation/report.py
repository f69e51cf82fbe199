"""What an evaluation found, with everything needed to read the number."""

import statistics
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class AccuracyReport:
    """Test accuracies of networks trained on one training set.

    Attributes:
        protocol: Name of the recipe.
        arch: Key of `ddcodec.networks.NETWORKS`.
        seeds: One per network.
        accuracies: Test accuracy in % of each network, in the order of the seeds.
        label_mode: What the networks were trained on, such as "hard".
        updates: Optimiser steps per network.
        epochs: Average times each image was seen per network.
        num_images: Size of the training set.
        seconds: Wall time of all networks, training and testing.
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

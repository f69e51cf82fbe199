"""Distillation losses. To add one, write a class like `DistillationLoss`, name it in `LOSSES`."""

from ddcodec.distill.losses.base import DistillationLoss, LossBuilder, LossSettings
from ddcodec.distill.losses.by_name import build_loss, find_loss
from ddcodec.distill.losses.comparison.characteristic import CharacteristicMatching
from ddcodec.distill.losses.comparison.gradient import GradientMatching
from ddcodec.distill.losses.distribution import DistributionMatching
from ddcodec.distill.losses.trajectory import TrajectoryMatching

LOSSES: dict[str, LossBuilder] = {
    "dm": DistributionMatching,
    "gm": GradientMatching,
    "tm": TrajectoryMatching,
    "ncfm": CharacteristicMatching,
}

__all__ = [
    "LOSSES",
    "CharacteristicMatching",
    "DistillationLoss",
    "DistributionMatching",
    "GradientMatching",
    "LossBuilder",
    "LossSettings",
    "TrajectoryMatching",
    "build_loss",
    "find_loss",
]

"""Distillation losses. To add one, write a class like `DistillationLoss`, name it in `LOSSES`."""

from ddcodec.distill.losses.base import DistillationLoss, LossBuilder, LossSettings
from ddcodec.distill.losses.characteristic import CharacteristicMatching
from ddcodec.distill.losses.distribution import DistributionMatching

LOSSES: dict[str, LossBuilder] = {
    "dm": DistributionMatching,
    "ncfm": CharacteristicMatching,
}

__all__ = [
    "LOSSES",
    "CharacteristicMatching",
    "DistillationLoss",
    "DistributionMatching",
    "LossBuilder",
    "LossSettings",
]

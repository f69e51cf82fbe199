"""Distillation losses. To add one, write a class like `DistillationLoss`, name it in `LOSSES`."""

from ddcodec.distill.losses.base import DistillationLoss, LossBuilder, LossSettings
from ddcodec.distill.losses.distribution import DistributionMatching

LOSSES: dict[str, LossBuilder] = {
    "dm": DistributionMatching,
}

__all__ = ["LOSSES", "DistillationLoss", "DistributionMatching", "LossBuilder", "LossSettings"]

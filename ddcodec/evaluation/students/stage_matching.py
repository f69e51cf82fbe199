"""Learning from a labeler's feature maps beside its logits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddcodec.evaluation.students.labelled_images import Stages, check_logits
from ddcodec.networks import Classifier, precision

_SAMPLE = 128
_LEAST_DEVIATION = 1e-3  # of a channel; those that are never active stay at zero

Maps = dict[tuple[int, int], Tensor]
"""Feature maps N×C×H×W by height and width."""


class StageMatching(nn.Module):
    """The cross-entropy with a labeler, and how far a student's stages are from the labeler's.

    FitNets (Romero et al., ICLR 2015, section 2.2) regress one stage of a teacher; here every size
    of map that both networks have is regressed, by a 1×1 convolution that is trained along and
    thrown away: from the last map of that size in the student to the labeler's, whose channels
    have mean 0 and deviation 1 over the training images. A student without maps of these sizes
    learns from the logits alone.

    Args:
        network: The student.
        stages: The labeler.
        images: Normalised training images, float32 N×C×H×W, on the student's device.
        weight: Of the mean squared error of each size, where cross-entropy has 1.
        bfloat16: Whether the student computes in it.
    """

    def __init__(
        self, network: Classifier, stages: Stages, images: Tensor, weight: float, bfloat16: bool
    ) -> None:
        super().__init__()
        self._stages, self._weight, self._bfloat16 = stages, weight, bfloat16
        spread = torch.linspace(0, len(images) - 1, min(len(images), _SAMPLE)).long()
        labeler_maps = _by_size(self._labelled(images[spread], network)[1])
        training = network.training
        with torch.no_grad(), recorded_maps(network.eval()) as student_maps:
            network(images[:1])
        network.train(training)
        self._sizes = [size for size in labeler_maps if size in student_maps]
        self._scales = []
        projections = []
        for size in self._sizes:
            target = labeler_maps[size]
            mean = target.mean((0, 2, 3), keepdim=True)
            deviation = target.std((0, 2, 3), keepdim=True) + _LEAST_DEVIATION
            self._scales.append((mean, deviation))
            projections.append(nn.Conv2d(student_maps[size].shape[1], target.shape[1], 1))
        self.projections = nn.ModuleList(projections).to(images.device)

    def loss(self, network: Classifier, images: Tensor, _: Tensor) -> Tensor:
        """Return the loss of a batch; its targets come from the labeler, not from outside.

        Raises:
            DataError: The labeler returns something else than logits of the student's classes.
        """
        logits, labeler_maps = self._labelled(images, network)
        targets, by_size = logits.softmax(dim=1), _by_size(labeler_maps)
        autocast = precision.autocast(images.device, self._bfloat16)
        with autocast, recorded_maps(network) as student_maps:
            outputs = network(images)
            seen = [
                projection(student_maps[size])
                for projection, size in zip(self.projections, self._sizes, strict=True)
            ]
        loss = F.cross_entropy(outputs.float(), targets)
        for size, values, (mean, deviation) in zip(self._sizes, seen, self._scales, strict=True):
            error = values.float() - (by_size[size] - mean) / deviation
            loss = loss + self._weight * error.square().mean()
        return loss

    def _labelled(self, images: Tensor, network: Classifier) -> tuple[Tensor, tuple[Tensor, ...]]:
        with torch.no_grad():
            logits, maps = self._stages(images)
        check_logits(logits, len(images), network.classifier.out_features)
        return logits.float(), maps


@contextmanager
def recorded_maps(network: nn.Module) -> Iterator[Maps]:
    """Record the last feature map of every size that a network makes within the context."""
    maps: Maps = {}

    def record(_: nn.Module, __: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4:
            maps[(output.shape[2], output.shape[3])] = output

    handles = [module.register_forward_hook(record) for module in network.modules()]
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()


def _by_size(maps: Iterable[Tensor]) -> Maps:
    return {(values.shape[2], values.shape[3]): values for values in maps}

"""Learning from a labeler's feature maps beside its logits."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddcodec.evaluation.students.labelled_images import Stages, check_logits
from ddcodec.networks import Classifier, precision

_SAMPLE = 128
_LEAST_DEVIATION = 1e-3  # of a channel; those that are never active stay at zero

StudentLoss = Callable[[Classifier, Tensor, Tensor, list[Tensor]], Tensor]
"""Takes a network, images, probabilities N×classes and the maps its own are to come near."""

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
        prepared: Makes of the student's part of the loss what is called at every update, such as
            its compiled form.
    """

    def __init__(
        self,
        network: Classifier,
        stages: Stages,
        images: Tensor,
        weight: float,
        bfloat16: bool,
        prepared: Callable[[StudentLoss], StudentLoss] = lambda loss: loss,
    ) -> None:
        super().__init__()
        self._stages, self._weight, self._bfloat16 = stages, weight, bfloat16
        spread = torch.linspace(0, len(images) - 1, min(len(images), _SAMPLE)).long()
        labeler_maps = _by_size(self._labelled(images[spread], network)[1])
        training = network.training
        self._recorder = MapRecorder(network)
        with torch.no_grad():
            network.eval()(images[:1])
        student_maps = self._recorder.take()
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
        self._student_loss = prepared(self._loss_by_targets)

    def loss(self, network: Classifier, images: Tensor, _: Tensor) -> Tensor:
        """Return the loss of a batch; its targets come from the labeler, not from outside.

        Raises:
            DataError: The labeler returns something else than logits of the student's classes.
        """
        logits, labeler_maps = self._labelled(images, network)
        by_size = _by_size(labeler_maps)
        scaled = [
            (by_size[size] - mean) / deviation
            for size, (mean, deviation) in zip(self._sizes, self._scales, strict=True)
        ]
        return self._student_loss(network, images, logits.softmax(dim=1), scaled)

    def close(self) -> None:
        """Leave the network as it was before; the loss is of no use then."""
        self._recorder.close()

    def _loss_by_targets(
        self, network: Classifier, images: Tensor, targets: Tensor, scaled: list[Tensor]
    ) -> Tensor:
        with precision.autocast(images.device, self._bfloat16):
            outputs = network(images)
            student_maps = self._recorder.take()
            seen = [
                projection(student_maps[size])
                for projection, size in zip(self.projections, self._sizes, strict=True)
            ]
        loss = F.cross_entropy(outputs.float(), targets)
        for values, target in zip(seen, scaled, strict=True):
            loss = loss + self._weight * (values.float() - target).square().mean()
        return loss

    def _labelled(self, images: Tensor, network: Classifier) -> tuple[Tensor, tuple[Tensor, ...]]:
        with torch.no_grad():
            logits, maps = self._stages(images)
        check_logits(logits, len(images), network.classifier.out_features)
        return logits.float(), maps


class MapRecorder:
    """Records the last feature map of every size that a network makes, until it is closed.

    It stays with the network, since a compiled program is of a network with the same hooks.
    """

    def __init__(self, network: nn.Module) -> None:
        self._maps: Maps = {}
        self._handles = [module.register_forward_hook(self._record) for module in network.modules()]

    def take(self) -> Maps:
        """Return what has been recorded, and begin anew."""
        maps = dict(self._maps)
        # What is left in an attribute would be an output of a compiled program.
        self._maps.clear()
        return maps

    def close(self) -> None:
        """Leave the network as it was."""
        for handle in self._handles:
            handle.remove()
        self._maps.clear()

    def _record(self, _: nn.Module, __: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4:
            self._maps[(output.shape[2], output.shape[3])] = output


def _by_size(maps: Iterable[Tensor]) -> Maps:
    return {(values.shape[2], values.shape[3]): values for values in maps}
